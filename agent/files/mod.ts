/** The files room: waits for changes in folders. */
export { FolderWake } from "./folder_wake.ts";
