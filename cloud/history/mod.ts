/** The history room: notices that a cluster was restored from an older copy, so that no node loses what is newer. */
export * from "./history.ts";
