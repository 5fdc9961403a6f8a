/**
 * The groups room: node groups, applications that run in several of them, and the word on kinds of
 * KubeEdge that nobody acts on. It works on a `Store` and views of it, whoever keeps them.
 */
import type { Service } from "../../core/base/mod.ts";
import { createApplicationController } from "./application_controller.ts";
import type { GroupsContext } from "./context.ts";
import { createNodeGroupController, createNodeLabelController } from "./node_group_controller.ts";
import { createIdleKindsController } from "./idle_kinds.ts";

export { isHeldByApplications } from "./held_kinds.ts";
export type { GroupsContext } from "./context.ts";

/** The services of the room. The views of `context` must run, and be asked for before they do. */
export function createGroups(context: GroupsContext): Service[] {
  const { applications = true } = context;
  return [
    createNodeLabelController(context),
    createNodeGroupController(context),
    ...(applications ? [createApplicationController(context)] : []),
    createIdleKindsController(context),
  ];
}
