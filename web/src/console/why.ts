/** "Why this answer?" below what the assistant said: what it understood, looked up and weighed. */

import { element, setText } from "../dom";
import { safeUrl } from "../protocol";
import type { Explanation, Line, Matched, Understood } from "./desk";
import * as wording from "./wording";

type Explain = (turn: string) => Promise<Explanation>;

interface Made {
  readonly details: HTMLDetailsElement;
  readonly summary: HTMLElement;
}

export class Reasons {
  #known = new Map<string, Made>();

  constructor(private readonly explain: Explain) {}

  /**
   * Puts one below each turn's first answer, or below the last message that got none.
   *
   * An answer may come after the message was shown; then it moves there, opened or not.
   */
  place(lines: readonly Line[], shown: ReadonlyMap<number, HTMLElement>): void {
    const places = new Map<string, Line>();
    for (const line of lines) {
      if (line.turn === null) continue;
      const before = places.get(line.turn);
      if (before === undefined || before.author === "customer") places.set(line.turn, line);
    }
    for (const [turn, line] of places) {
      const { details, summary } = this.#known.get(turn) ?? this.#make(turn);
      setText(summary, line.author === "customer" ? "Why no answer?" : "Why this answer?");
      const place = shown.get(line.seq);
      if (place !== undefined && details.parentElement !== place) place.append(details);
    }
  }

  #make(turn: string): Made {
    const summary = element("summary");
    const body = element("div", { "aria-live": "polite" });
    const details = element("details", { class: "why", "data-testid": "why" }, summary, body);
    details.addEventListener("toggle", () => {
      if (details.open) void this.#fill(turn, body);
    });
    const made = { details, summary };
    this.#known.set(turn, made);
    return made;
  }

  /** Asked anew each time it is opened: a turn may have ended since. */
  async #fill(turn: string, body: HTMLElement): Promise<void> {
    try {
      body.replaceChildren(told(await this.explain(turn)));
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      body.replaceChildren(element("p", {}, words));
    }
  }
}

function told({ state, tries, problem, understood, matched, timings }: Explanation): HTMLElement {
  const facts = element("dl");
  const add = (name: string, ...what: (Node | string)[]): void => {
    facts.append(element("dt", {}, name), element("dd", {}, ...what));
  };
  if (understood !== null) tellUnderstood(understood, add);
  if (matched !== null) tellMatched(matched, add);
  if (tries > 0) add("Failed", `${tries} ${tries === 1 ? "time" : "times"}: ${problem}`);
  if (timings.length > 0) {
    add("Took", timings.map(([part, ms]) => `${wording.part(part)} ${ms} ms`).join(", "));
  }
  if (understood === null && matched === null) {
    add("Reasons", state === "open" ? "The assistant is still at it." : "Nothing is kept of them.");
  }
  return facts;
}

type Add = (name: string, ...what: (Node | string)[]) => void;

function tellUnderstood(understood: Understood, add: Add): void {
  add("Understood", `${wording.plain(understood.intent)}, ${wording.chance(understood.confidence)}`);
  const done = understood.actions.map(wording.plain).join(", ") || "nothing";
  add("Rule", understood.rule === "" ? `none; did: ${done}` : `${understood.rule} → ${done}`);
}

function tellMatched({ outcome, confidence, question, candidates }: Matched, add: Add): void {
  add("Looked up", element("bdi", {}, question));
  add("Articles", `${wording.outcome(outcome)}, ${wording.chance(confidence)}`);
  const items = candidates.map(({ name, probability, url }) => {
    const href = safeUrl(url, location.origin);
    const title = element("bdi", {}, name);
    const link =
      href === null ? title : element("a", { href, target: "_blank", rel: "noopener" }, title);
    return element("li", {}, `${wording.chance(probability)} `, link);
  });
  if (items.length > 0) add("Considered", element("ul", {}, ...items));
}
