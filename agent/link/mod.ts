/** The agent's link room: keeps the session with the hub, applies what it sends, serves its streams. */
export { createLink } from "./link.ts";
export type {
  IncomingStream,
  Link,
  LinkHandlers,
  LinkOptions,
  LinkState,
  Refusal,
  StreamHead,
  StreamHeader,
  Synced,
} from "./options.ts";
