/** Words in which the kinds of KubeEdge are written down, and what a kind is described by. */
import { z } from "zod";

/** What is known of a kind that is no kind of Kubernetes itself. */
export interface CustomKind {
  /** What an object of the kind is for, one sentence. */
  readonly description: string;
  readonly spec?: z.ZodType;
  readonly status?: z.ZodType;
  /** Whether an object without a `spec` is refused. */
  readonly specRequired?: boolean;
}

/** Makes something when it is first asked for: an agent that only reads never holds the schemas. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** A text. */
export const text = (description: string): z.ZodString => z.string().meta({ description });
/** A yes or no. */
export const flag = (description: string): z.ZodBoolean => z.boolean().meta({ description });
/** A whole number. */
export const whole = (description: string): z.ZodNumber => z.number().int().meta({ description });
/** A whole number of 32 bits. */
export const int32 = (description: string): z.ZodNumber =>
  z.number().int().min(-(2 ** 31)).max(2 ** 31 - 1).meta({ description, format: "int32" });
/** A whole number of 64 bits. */
export const int64 = (description: string): z.ZodNumber =>
  z.number().int().meta({ description, format: "int64" });
/** One of a few words. */
export const word = <const W extends readonly [string, ...string[]]>(
  description: string,
  words: W,
): z.ZodEnum<{ [K in W[number]]: K }> =>
  z.enum(words).meta({ description }) as z.ZodEnum<{ [K in W[number]]: K }>;
/** A list. */
export const list = <T extends z.ZodType>(description: string, item: T): z.ZodArray<T> =>
  z.array(item).meta({ description });
/** A list of texts. */
export const texts = (description: string): z.ZodArray<z.ZodString> =>
  z.array(z.string()).meta({ description });
/** Texts by names. */
export const textMap = (description: string): z.ZodRecord<z.ZodString, z.ZodString> =>
  z.record(z.string(), z.string()).meta({ description });

/** An object of which other fields are dropped, as an API server prunes them. */
export function fields<O extends z.ZodRawShape, R extends z.ZodRawShape = Record<never, never>>(
  description: string,
  optional: O,
  required: R = {} as R,
): z.ZodObject<R & { [K in keyof O]: z.ZodOptional<O[K]> }, z.core.$strip> {
  const shape: Record<string, z.core.$ZodType> = { ...required };
  for (const [key, type] of Object.entries(optional)) shape[key] = z.optional(type);
  return z.object(shape).meta({ description }) as never;
}

/** An object that may hold anything. */
export const anything = (description: string): z.ZodObject<Record<never, never>, z.core.$loose> =>
  z.looseObject({}).meta({ description });

/** A quantity of a resource: `500m`, `64Mi` or a number. */
export const quantity = (): z.ZodUnion<readonly [z.ZodString, z.ZodNumber]> =>
  z.union([z.string(), z.number().int()]);

const selectorOf = (description: string) =>
  fields(description, {
    matchLabels: textMap("Labels that must have exactly these values."),
    matchExpressions: list(
      "Requirements with operators.",
      fields("One requirement.", { values: texts("Values for In and NotIn.") }, {
        key: text("The label's key."),
        operator: text("In, NotIn, Exists or DoesNotExist."),
      }),
    ),
  });

/** Kubernetes' own label selector. */
export const labelSelector: typeof selectorOf = selectorOf;

const conditionList = () =>
  list(
    "What is known of the object. Written by Skerry; KubeEdge has no such list.",
    fields("One condition.", {
      reason: text("Why, in one word."),
      message: text("Why, in one sentence."),
      lastTransitionTime: text("When the status last changed."),
      observedGeneration: int64("The generation that it is about."),
    }, {
      type: text("What the condition tells."),
      status: word("Whether it holds.", ["True", "False", "Unknown"]),
    }),
  );

/** The conditions that Skerry writes; KubeEdge's own statuses have none. */
export const conditions: typeof conditionList = conditionList;
