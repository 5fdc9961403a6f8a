/** Builds the container images that tests run, from programs of this machine. */
export { dockerArchive, imageConfig, type ImageSpec } from "./docker_archive.ts";
export { type TarEntry, writeTar } from "./tar.ts";
export { buildTestImages, busyboxLayer, GO_ARCHITECTURE, TEST_IMAGES } from "./test_images.ts";
