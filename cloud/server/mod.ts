/** The server room of the hub: puts the other rooms together and listens. */
export { answerCall } from "./calls.ts";
export { runHub } from "./run_hub.ts";
