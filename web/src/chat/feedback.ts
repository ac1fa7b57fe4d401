/** The two small buttons below an answer: it helped, or it did not. */

import { element, icon, setText } from "../dom";
import type { Texts } from "./gateway";

const THUMB =
  "M8 20V10.5l3.6-7c1.5 0 2.6 1.2 2.3 2.7l-.7 3.6h4.6a2 2 0 0 1 2 2.3l-1 6.2a2 2 0 0 1-2 1.7zm0 0H5a1 1 0 0 1-1-1v-7.5a1 1 0 0 1 1-1h3";

/** Records what was pressed. */
type Judge = (helpful: boolean) => Promise<void>;

export class Feedback {
  readonly element: HTMLElement;

  readonly #thanks = element("span", { class: "thanks" });
  readonly #buttons: readonly (readonly [boolean, HTMLButtonElement])[];
  /** Pressed last, and recorded last as far as this page knows. */
  #pressed: boolean | null;
  #recorded: boolean | null;
  /** One after the other: what was pressed last must also arrive last. */
  #queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly texts: Texts,
    direction: string,
    said: boolean | null,
    private readonly judge: Judge,
  ) {
    this.#pressed = this.#recorded = said;
    this.#buttons = [
      [true, this.#button(true, "helpful")],
      [false, this.#button(false, "not_helpful")],
    ];
    this.element = element(
      "div",
      {
        class: "feedback",
        role: "group",
        dir: direction,
        "aria-label": texts["web_was_helpful"] ?? "",
        "data-testid": "feedback",
      },
      ...this.#buttons.map(([, button]) => button),
      this.#thanks,
    );
    this.#show();
  }

  #button(helpful: boolean, name: string): HTMLButtonElement {
    const label = this.texts[`web_${name}`] ?? "";
    const button = element(
      "button",
      { type: "button", class: name, "aria-label": label, title: label, "data-testid": name },
      icon(THUMB),
    );
    button.addEventListener("click", () => this.#press(helpful));
    return button;
  }

  #press(helpful: boolean): void {
    if (this.#pressed === helpful) return;
    this.#pressed = helpful;
    setText(this.#thanks, this.texts["web_thanks"] ?? "");
    this.#show();
    this.#queue = this.#queue.then(() => this.#record(helpful));
  }

  async #record(helpful: boolean): Promise<void> {
    try {
      await this.judge(helpful);
      this.#recorded = helpful;
    } catch {
      if (this.#pressed !== helpful) return; // the next press is on its way
      this.#pressed = this.#recorded;
      setText(this.#thanks, this.texts["web_retry"] ?? "");
      this.#show();
    }
  }

  #show(): void {
    for (const [helpful, button] of this.#buttons) {
      button.setAttribute("aria-pressed", String(this.#pressed === helpful));
    }
  }
}
