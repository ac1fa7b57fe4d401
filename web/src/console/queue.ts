/** The list of waiting and claimed conversations; rows stay the same elements over refreshes. */

import { element, setText } from "../dom";
import type { Entry } from "./desk";
import * as wording from "./wording";

interface Row {
  readonly item: HTMLLIElement;
  readonly button: HTMLButtonElement;
  readonly state: HTMLElement;
  readonly waited: HTMLElement;
  readonly reason: HTMLElement;
  readonly language: HTMLElement;
  readonly last: HTMLElement;
}

export class Queue {
  readonly element: HTMLElement;

  #list = element("ul", {});
  #empty = element("p", { class: "empty" }, "Nobody is waiting.");
  #rows = new Map<string, Row>();

  constructor(private readonly choose: (id: string) => void) {
    this.element = element(
      "nav",
      { class: "queue", "aria-label": "Conversations" },
      this.#empty,
      this.#list,
    );
  }

  render(entries: readonly Entry[], chosen: string | null): void {
    const sorted = [...entries].sort(byUrgency);
    const present = new Set(sorted.map((entry) => entry.id));
    for (const [id, row] of this.#rows) {
      if (present.has(id)) continue;
      row.item.remove();
      this.#rows.delete(id);
    }
    const focused = document.activeElement;
    sorted.forEach((entry, index) => {
      const row = this.#rows.get(entry.id) ?? this.#add(entry.id);
      this.#update(row, entry, entry.id === chosen);
      const place = this.#list.children[index];
      if (place !== row.item) this.#list.insertBefore(row.item, place ?? null);
    });
    // Moving a row takes the focus away from it.
    if (focused instanceof HTMLElement && this.#list.contains(focused)) focused.focus();
    this.#empty.hidden = sorted.length > 0;
  }

  #add(id: string): Row {
    const part = (name: string): HTMLElement => element("span", { class: name });
    const row: Row = {
      item: element("li"),
      button: element("button", {
        type: "button",
        "data-testid": "conversation",
        "data-id": id,
      }),
      state: part("state"),
      waited: part("waited"),
      reason: part("reason"),
      language: part("language"),
      last: element("bdi", { class: "last", dir: "auto" }),
    };
    row.button.append(row.reason, row.waited, row.last, row.state, row.language);
    row.button.addEventListener("click", () => this.choose(id));
    row.item.append(row.button);
    this.#rows.set(id, row);
    return row;
  }

  #update(row: Row, entry: Entry, isChosen: boolean): void {
    const waited = wording.waitingTime(entry.requestedAt, Date.now());
    setText(row.reason, wording.reason(entry.reason));
    setText(row.waited, waited);
    setText(row.language, wording.language(entry.language));
    setText(row.state, wording.owner(entry.owner, entry.claimedBy, entry.mine));
    setText(row.last, entry.lastText);
    row.button.dataset["owner"] = entry.owner;
    row.button.dataset["urgent"] = String(entry.urgent);
    row.button.setAttribute("aria-current", String(isChosen));
  }
}

/** Waiting before claimed, own before others', what is urgent first, then the longest wait. */
function byUrgency(a: Entry, b: Entry): number {
  const rank = (entry: Entry): number => (entry.owner === "waiting" ? 0 : entry.mine ? 1 : 2);
  const calm = (entry: Entry): number => (entry.urgent ? 0 : 1);
  return rank(a) - rank(b) || calm(a) - calm(b) || Date.parse(a.requestedAt) - Date.parse(b.requestedAt);
}
