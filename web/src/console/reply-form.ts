/** Where the agent writes to the customer, and the article that goes along. */

import { element, setText } from "../dom";
import type { Candidate } from "./desk";

const MAX_TEXT_LENGTH = "4000";

/** Resolves to true when the reply is recorded and its text may go. */
type Send = (text: string, article: string | null) => Promise<boolean>;

export class ReplyForm {
  readonly element: HTMLFormElement;

  #text = element("textarea", {
    rows: "3",
    maxlength: MAX_TEXT_LENGTH,
    dir: "auto",
    "aria-label": "Reply to the customer",
    placeholder: "Reply to the customer (Ctrl + Enter sends)",
    "data-testid": "reply-text",
  });
  #send = element("button", { class: "primary", "data-testid": "reply" }, "Reply");
  #title = element("bdi");
  #without = element(
    "button",
    { type: "button", class: "mark", "aria-label": "Send without the article" },
    "Remove",
  );
  #attached = element(
    "p",
    { class: "attached", hidden: true, "data-testid": "attached" },
    "With the article ",
    this.#title,
    " ",
    this.#without,
  );
  #article: string | null = null;

  constructor(private readonly send: Send) {
    this.element = element(
      "form",
      { class: "reply" },
      element("div", { class: "written" }, this.#attached, this.#text),
      this.#send,
    );
    this.#without.addEventListener("click", () => {
      this.#attach(null);
      this.#text.focus();
    });
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.element.requestSubmit();
    });
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  /** The short answer goes behind what is already written; the agent may still change it. */
  insert(candidate: Candidate): void {
    const written = this.#text.value.trimEnd();
    this.#text.value = [written, candidate.shortAnswer ?? ""].filter(Boolean).join("\n\n");
    this.#attach(candidate);
    this.#text.focus();
  }

  #attach(candidate: Candidate | null): void {
    this.#article = candidate?.article ?? null;
    setText(this.#title, candidate?.title ?? "");
    this.#attached.hidden = candidate === null;
  }

  async #submit(): Promise<void> {
    const written = this.#text.value;
    const article = this.#article;
    if (written.trim() === "" || this.#send.disabled) return;
    this.#send.disabled = true;
    const isRecorded = await this.send(written.trim(), article);
    if (isRecorded && this.#text.value === written) this.#text.value = "";
    if (isRecorded && this.#article === article) this.#attach(null);
    this.#send.disabled = false;
  }
}
