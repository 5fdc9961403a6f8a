/** The control socket: how the agent tells the runner what to serve. */
export * from "./control.ts";
export * from "./socket.ts";
