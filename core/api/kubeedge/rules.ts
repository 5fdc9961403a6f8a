import type { z } from "zod";
import {
  conditions,
  type CustomKind,
  fields,
  once,
  text,
  textMap,
  texts,
  whole,
} from "./schema.ts";

const ruleSpec = once(() =>
  fields("Where messages come from and where they go.", {}, {
    source: text("Name of the RuleEndpoint that messages come from."),
    sourceResource: textMap(
      'What of it: {"path": ...} of rest, {"topic", "node_name"} of eventbus.',
    ),
    target: text("Name of the RuleEndpoint that messages go to."),
    targetResource: textMap(
      'What of it: {"resource"} of rest, {"topic"} or {"path"} of the others.',
    ),
  })
);

const endpointSpec = once(() =>
  fields("An end of rules.", {
    properties: textMap('Settings; a servicebus needs {"service_port": "8080"}.'),
  }, { ruleEndpointType: text("rest, eventbus or servicebus.") })
);

/** The kinds of `rules.kubeedge.io/v1`. */
export const RULE_KINDS: Readonly<Record<string, () => CustomKind>> = {
  Rule: once(() => ({
    description: "Carries messages from one RuleEndpoint to another.",
    spec: ruleSpec(),
    status: fields("What became of the messages.", {
      successMessages: whole("Messages that arrived."),
      failMessages: whole("Messages that did not."),
      errors: texts("The last errors."),
      conditions: conditions(),
    }),
  })),
  RuleEndpoint: once(() => ({
    description: "A place that messages come from or go to.",
    spec: endpointSpec(),
    // KubeEdge has no status here: this one holds what Skerry has to say.
    status: fields("What is known of the endpoint.", { conditions: conditions() }),
  })),
};

/** `spec` of a Rule. */
export type RuleSpec = z.infer<ReturnType<typeof ruleSpec>>;
/** `spec` of a RuleEndpoint. */
export type RuleEndpointSpec = z.infer<ReturnType<typeof endpointSpec>>;
