/** What customers said when asked for their opinion, until an agent has read it. */

import { element, setText } from "../dom";
import type { Remark } from "./desk";
import * as wording from "./wording";

export class Remarks {
  readonly element: HTMLElement;

  #title = element("summary", {});
  #list = element("ul", {});
  #shown = "";

  constructor(private readonly markRead: (id: string) => void) {
    this.element = element("details", { class: "remarks", hidden: true }, this.#title, this.#list);
  }

  render(remarks: readonly Remark[]): void {
    const ids = remarks.map((remark) => remark.id).join();
    if (ids === this.#shown) return; // a button that is being pressed stays the same
    this.#shown = ids;
    setText(this.#title, `Opinions of customers (${remarks.length})`);
    this.#list.replaceChildren(...remarks.map((remark) => this.#item(remark)));
    this.element.hidden = remarks.length === 0;
  }

  #item(remark: Remark): HTMLElement {
    const read = element("button", { type: "button", class: "secondary" }, "Read");
    read.addEventListener("click", () => this.markRead(remark.id));
    const about = `${wording.language(remark.language)}, ${wording.moment(remark.madeAt)}`;
    return element(
      "li",
      { "data-testid": "remark" },
      element("bdi", { dir: "auto", lang: remark.language }, remark.text),
      element("span", { class: "language" }, about),
      read,
    );
  }
}
