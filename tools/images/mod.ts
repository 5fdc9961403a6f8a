/** Builds the container images that tests run, from programs of this machine. */
export { dockerArchive, type ImageSpec } from "./docker_archive.ts";
export { type TarEntry, writeTar } from "./tar.ts";
export { buildTestImages, TEST_IMAGES } from "./test_images.ts";
