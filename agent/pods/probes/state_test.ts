import assert from "node:assert/strict";
import { type Ms, ms, seconds } from "../../../core/base/mod.ts";
import type { Container } from "../../../core/api/mod.ts";
import { type ContainerProbes, type ProbeKind, probesOf } from "./spec.ts";
import { beginRun, probeDue, probeView, type RunState, takeAnswer } from "./state.ts";

const GET = { exec: { command: ["true"] } };

function specs(probes: Partial<Record<ProbeKind, Record<string, number>>>): ContainerProbes {
  const fields = Object.entries(probes).map((
    [kind, more],
  ) => [`${kind}Probe`, { ...GET, ...more }]);
  const container: Container = { name: "c", image: "i", ...Object.fromEntries(fields) };
  return probesOf(container) ?? {};
}

function begin(probes: ContainerProbes, more: Partial<Parameters<typeof beginRun>[1]> = {}) {
  return beginRun(probes, {
    containerId: "c1",
    ending: false,
    age: ms(0),
    jitter: () => 0,
    now: ms(0),
    ...more,
  });
}

/** One letter an answer: `+` well, `-` not well, `?` could not be asked; each asked when it is due. */
function answers(
  probes: ContainerProbes,
  state: RunState,
  kind: ProbeKind,
  text: string,
): RunState {
  for (const letter of text) {
    const spec = probes[kind];
    const due = probeDue(state, kind);
    assert.ok(spec && due !== undefined, `${kind} is not asked before ${letter} of ${text}`);
    const well = letter === "?" ? undefined : letter === "+";
    state = takeAnswer(state, { kind, spec }, { well, message: "said", began: due, now: due });
  }
  return state;
}

/** e.g. `started ready`, `started !liveness`. */
function shown(state: RunState): string {
  const view = probeView(state);
  return [
    ...(view.started ? ["started"] : []),
    ...(view.ready ? ["ready"] : []),
    ...(view.unhealthy ? [`!${view.unhealthy.probe}: ${view.unhealthy.message}`] : []),
  ].join(" ");
}

function nextDue(state: RunState): Partial<Record<ProbeKind, Ms>> {
  const kinds = ["startup", "liveness", "readiness"] as const;
  return Object.fromEntries(
    kinds.map((kind) => [kind, probeDue(state, kind)]).filter(([, due]) => due !== undefined),
  );
}

type Row = [
  name: string,
  probes: Partial<Record<ProbeKind, Record<string, number>>>,
  answers: [ProbeKind, string][],
  shown: string,
];

const TABLE: readonly Row[] = [
  ["readiness is not ready before its first answer", { readiness: {} }, [], "started"],
  ["one success makes ready", { readiness: {} }, [["readiness", "+"]], "started ready"],
  ["successThreshold counts in a row", { readiness: { successThreshold: 3 } }, [
    ["readiness", "++-++"],
  ], "started"],
  ["successThreshold is reached", { readiness: { successThreshold: 3 } }, [
    ["readiness", "++-+++"],
  ], "started ready"],
  [
    "failures below the threshold keep ready",
    { readiness: {} },
    [["readiness", "+--+--"]],
    "started ready",
  ],
  ["failureThreshold in a row ends ready", { readiness: {} }, [["readiness", "+---"]], "started"],
  ["ready comes back", { readiness: {} }, [["readiness", "+---+"]], "started ready"],
  [
    "what could not be asked counts neither way",
    { readiness: {} },
    [["readiness", "+--?-"]],
    "started",
  ],
  ["liveness leaves ready alone", { liveness: {} }, [["liveness", "--"]], "started ready"],
  [
    "liveness fails for good",
    { liveness: {} },
    [["liveness", "+---"]],
    "started ready !liveness: said",
  ],
  [
    "failureThreshold of one",
    { liveness: { failureThreshold: 1 } },
    [["liveness", "-"]],
    "started ready !liveness: said",
  ],
  [
    "nothing is started before the startup probe",
    { startup: {}, liveness: {}, readiness: {} },
    [],
    "",
  ],
  ["startup fails below its threshold", { startup: { failureThreshold: 30 } }, [
    ["startup", "-".repeat(29)],
  ], ""],
  [
    "startup fails for good",
    { startup: {}, readiness: {} },
    [["startup", "---"]],
    "!startup: said",
  ],
  ["startup alone makes ready", { startup: {} }, [["startup", "--+"]], "started ready"],
  ["readiness comes after startup", { startup: {}, readiness: {} }, [
    ["startup", "+"],
    ["readiness", "+"],
  ], "started ready"],
];

for (const [name, probes, said, expected] of TABLE) {
  Deno.test(`probes: ${name}`, () => {
    const made = specs(probes);
    let state = begin(made);
    for (const [kind, text] of said) state = answers(made, state, kind, text);
    assert.equal(shown(state), expected);
  });
}

Deno.test("probeDue() waits for the startup probe, then for nothing but the initial delay", () => {
  const made = specs({ startup: {}, liveness: { initialDelaySeconds: 60 }, readiness: {} });
  let state = begin(made, { now: seconds(100) });
  assert.deepEqual(nextDue(state), { startup: 100_000 });
  state = answers(made, state, "startup", "+");
  assert.deepEqual(nextDue(state), { liveness: 160_000, readiness: 100_000 });
});

Deno.test("probeDue() asks nothing again that has made the run unhealthy", () => {
  const made = specs({ liveness: { failureThreshold: 1 }, readiness: {} });
  const state = answers(made, begin(made), "liveness", "-");
  assert.deepEqual(nextDue(state), { readiness: 0 });
});

Deno.test("probeDue() goes on with readiness alone while the pod ends", () => {
  const made = specs({ liveness: { failureThreshold: 1 }, readiness: {} });
  const state = answers(made, begin(made), "liveness", "-");
  const ending = { ...state, ending: true };
  assert.deepEqual(nextDue(ending), { readiness: 0 });
  assert.equal(shown(ending), "started");
});

Deno.test("takeAnswer() keeps the period by the start of a question, and never asks in the past", () => {
  const made = specs({ readiness: { periodSeconds: 5 } });
  const which = { kind: "readiness", spec: made.readiness } as const;
  assert.ok(which.spec);
  const ask = (began: number, now: number): Ms | undefined =>
    probeDue(
      takeAnswer(begin(made), { ...which, spec: which.spec as never }, {
        well: true,
        message: "",
        began: ms(began),
        now: ms(now),
      }),
      "readiness",
    );
  assert.equal(ask(1000, 1200), 6000);
  assert.equal(ask(1070, 1200), 6000, "on the grid");
  assert.equal(ask(1130, 1200), 6250, "on the grid");
  assert.equal(ask(1000, 8000), 8000);
});

const DELAYS: [name: string, age: number, due: number][] = [
  ["a new run waits for all of it", 0, 30_000],
  ["a run that is older waits for the rest", 20_000, 10_000],
  ["a run that is old enough does not wait", 90_000, 0],
  ["a clock that was set back adds nothing", -86_400_000, 30_000],
];
for (const [name, age, due] of DELAYS) {
  Deno.test(`beginRun(): initialDelaySeconds counts from the start: ${name}`, () => {
    const made = specs({ liveness: { initialDelaySeconds: 30 } });
    assert.equal(probeDue(begin(made, { age: ms(age) }), "liveness"), due);
  });
}

Deno.test("beginRun() spreads the first questions over a period", () => {
  const made = specs({ liveness: { periodSeconds: 20 } });
  assert.equal(probeDue(begin(made, { jitter: () => 0.25 }), "liveness"), 5000);
});

Deno.test("beginRun() goes on from what was reported of this run, with counters anew", () => {
  const made = specs({ startup: {}, liveness: {}, readiness: {} });
  let state = begin(made, { known: { started: true, ready: true } });
  assert.equal(shown(state), "started ready");
  assert.deepEqual(nextDue(state), { liveness: 0, readiness: 0 });
  state = answers(made, state, "readiness", "--");
  assert.equal(shown(state), "started ready");
  assert.equal(shown(answers(made, state, "readiness", "-")), "started");
  assert.equal(shown(begin(made, { known: { started: true, ready: false } })), "started");
});
