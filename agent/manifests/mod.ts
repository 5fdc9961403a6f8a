/** The manifests room: hands the Kubernetes objects of one folder to those who keep them in the store. */
export {
  HASH_ANNOTATION,
  isFromManifest,
  isUnreadable,
  MANIFEST_ANNOTATION,
  SOURCE_ANNOTATION,
} from "./annotations.ts";
export { contentHash } from "./content_hash.ts";
export {
  type Complain,
  type ManifestFiles,
  type ManifestHandler,
  manifestObjects,
} from "./handler.ts";
export { ManifestFolder, type ManifestFolderOptions } from "./manifest_folder.ts";
