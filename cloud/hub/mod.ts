/** The hub room: the hub's side of every node's session, replication, intents and streams. */
export { createHub } from "./hub.ts";
export type {
  Hub,
  HubObserver,
  HubOptions,
  IntentOutcome,
  NodeLink,
  OpenedStream,
  StreamHeader,
  Verdict,
} from "./options.ts";
export { readStreamHead } from "./streams.ts";
