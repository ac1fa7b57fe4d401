/** What the customer sees: the launcher and the panel. Knows nothing of the network. */

import { element, icon, setText } from "../dom";
import type { Texts } from "./gateway";
import type { MessageLog } from "./log";

const BUBBLE = "M20 11.5a8 8 0 0 1-11.7 7.1L4 20l1.4-4.3A8 8 0 1 1 20 11.5z";
const CROSS = "M6 6l12 12M18 6 6 18";
const PLANE = "M5 12h13M12.5 6.5 18 12l-5.5 5.5";
const MAX_TEXT_LENGTH = "4000";
const PHONE = matchMedia("(max-width: 599.98px)");

interface Actions {
  opened(): void;
  send(text: string): void;
}

export class Panel {
  readonly #launcher: HTMLButtonElement;
  readonly #badge = element("span", { class: "badge", hidden: true });
  readonly #dialog: HTMLDialogElement;
  readonly #input: HTMLTextAreaElement;
  readonly #connection = element("p", { class: "connection", role: "status" });
  readonly #notice = element("p", { class: "notice", role: "status" });
  readonly #announcement = element("span", { class: "visually-hidden", role: "status" });

  constructor(
    private readonly texts: Texts,
    private readonly log: MessageLog,
    private readonly actions: Actions,
  ) {
    this.#launcher = element(
      "button",
      { type: "button", class: "launcher", "aria-haspopup": "dialog", "data-testid": "launcher" },
      icon(BUBBLE),
      element("span", { class: "label" }, this.#say("web_open_chat")),
      this.#badge,
    );
    this.#launcher.addEventListener("click", () => this.open());
    this.#input = element("textarea", {
      rows: "1",
      maxlength: MAX_TEXT_LENGTH,
      dir: "auto",
      enterkeyhint: "send",
      placeholder: this.#say("web_placeholder"),
      "aria-label": this.#say("web_placeholder"),
      "data-testid": "input",
    });
    this.#dialog = element(
      "dialog",
      { role: "dialog", "aria-label": this.#say("web_title"), "data-testid": "panel" },
      this.#header(),
      this.#connection,
      this.#notice,
      log.element,
      this.#composer(),
    );
    this.#listenToDialog();
    this.showUnread(0);
  }

  get elements(): readonly Node[] {
    return [this.#launcher, this.#dialog, this.#announcement];
  }

  get isOpen(): boolean {
    return this.#dialog.open;
  }

  open(): void {
    if (this.isOpen) return;
    this.#show();
    this.#launcher.hidden = true;
    this.log.scrollToEnd();
    this.focusInput();
    this.actions.opened();
  }

  /** On touch screens the focus goes to the messages, or the keyboard would cover them. */
  focusInput(): void {
    const typesEasily = matchMedia("(pointer: fine)").matches;
    (typesEasily ? this.#input : this.log.element).focus({ preventScroll: true });
  }

  showConnection(text: string): void {
    setText(this.#connection, text);
  }

  showNotice(text: string): void {
    setText(this.#notice, text);
  }

  showUnread(count: number): void {
    const open = this.#say("web_open_chat");
    const news = `${this.#say("web_new_messages")}: ${count}`;
    this.#badge.hidden = count === 0;
    setText(this.#badge, count > 9 ? "9+" : String(count));
    setText(this.#announcement, count === 0 ? "" : news);
    this.#launcher.setAttribute("aria-label", count === 0 ? open : `${open}. ${news}`);
  }

  #say(key: string): string {
    return this.texts[key] ?? "";
  }

  #header(): HTMLElement {
    const close = element(
      "button",
      { type: "button", class: "close", "aria-label": this.#say("web_close") },
      icon(CROSS),
    );
    close.addEventListener("click", () => this.#dialog.close());
    const title = element("h2", {}, this.#say("web_title"));
    return element("div", { class: "header" }, icon(BUBBLE), title, close);
  }

  #composer(): HTMLElement {
    const send = element(
      "button",
      { type: "submit", "aria-label": this.#say("web_send"), "data-testid": "send" },
      icon(PLANE),
    );
    const form = element("form", {}, this.#input, send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      if (text === "") return;
      this.#input.value = "";
      this.actions.send(text);
    });
    this.#input.addEventListener("keydown", (event) => {
      // Enter also picks a word in the input methods of several languages.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      form.requestSubmit();
    });
    return form;
  }

  #listenToDialog(): void {
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) this.#dialog.close();
    });
    this.#dialog.addEventListener("close", () => {
      if (this.isOpen) return;
      this.showNotice("");
      this.#launcher.hidden = false;
      this.#launcher.focus({ preventScroll: true });
    });
    PHONE.addEventListener("change", () => {
      if (!this.isOpen) return;
      this.#dialog.close();
      this.#show();
    });
  }

  /** Full screen is modal: nothing behind it may be reached. */
  #show(): void {
    if (PHONE.matches) this.#dialog.showModal();
    else this.#dialog.show();
  }
}
