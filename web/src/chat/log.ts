/** The list of messages: shows the timeline, changing only what is new. */

import { element, icon } from "../dom";
import { safeUrl, type Author, type Message, type Source } from "../protocol";
import { Feedback } from "./feedback";
import type { Texts } from "./gateway";
import type { Pending, Timeline } from "./timeline";

const AGENT = "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20a7.5 7.5 0 0 1 15 0";
const OPENS_ELSEWHERE = "M9 6h9v9M18 6 6 18";
/** Pixels from the end within which a reader is taken to follow the conversation. */
const NEAR_THE_END = 80;

interface Actions {
  send(text: string): void;
  retry(pending: Pending): void;
  judge(seq: number, helpful: boolean): Promise<void>;
}

export class MessageLog {
  readonly element: HTMLElement;

  #shown = 0;
  /** What follows the recorded messages and is made anew each time. */
  #tail = element("div", { class: "tail" });
  #typing = element(
    "div",
    { class: "typing", "aria-hidden": "true", hidden: true },
    element("i"),
    element("i"),
    element("i"),
  );

  constructor(
    private readonly texts: Texts,
    private readonly direction: string,
    private readonly origin: string,
    private readonly actions: Actions,
  ) {
    this.element = element(
      "div",
      {
        role: "log",
        "aria-live": "polite",
        "aria-label": texts["web_title"] ?? "",
        tabindex: "0",
        "data-testid": "log",
      },
      this.#tail,
      this.#typing,
    );
  }

  render(timeline: Timeline, typing: boolean): void {
    const { element: log } = this;
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_THE_END;
    if (timeline.messages.length < this.#shown) this.#clear();
    for (const message of timeline.messages.slice(this.#shown)) {
      this.#tail.before(this.#recorded(message));
    }
    this.#shown = timeline.messages.length;
    this.#renderTail(timeline);
    this.#typing.hidden = !typing;
    if (follows) this.scrollToEnd();
  }

  scrollToEnd(): void {
    this.element.scrollTop = this.element.scrollHeight;
  }

  #clear(): void {
    this.#shown = 0;
    this.element.replaceChildren(this.#tail, this.#typing);
  }

  #renderTail(timeline: Timeline): void {
    const nodes: Node[] = timeline.pending.map((pending) => this.#pending(pending));
    const last = timeline.messages.at(-1);
    if (nodes.length === 0 && last && last.buttons.length > 0) {
      nodes.push(this.#quickReplies(last));
    }
    // Left alone when nothing is different, so that a focused button keeps the focus.
    const key = JSON.stringify([timeline.pending, nodes.length, last?.seq]);
    if (this.#tail.dataset["key"] === key) return;
    this.#tail.dataset["key"] = key;
    this.#tail.replaceChildren(...nodes);
  }

  #recorded(message: Message): HTMLElement {
    const bubble = this.#bubble(message.author, message.text);
    bubble.dataset["seq"] = String(message.seq);
    const links = message.sources.flatMap((source) => this.#source(source) ?? []);
    if (links.length > 0) bubble.append(element("div", { class: "sources" }, ...links));
    if (message.helpful !== undefined) {
      const judge = (helpful: boolean): Promise<void> => this.actions.judge(message.seq, helpful);
      bubble.append(new Feedback(this.texts, this.direction, message.helpful, judge).element);
    }
    return bubble;
  }

  #pending(pending: Pending): HTMLElement {
    const bubble = this.#bubble("customer", pending.text);
    if (pending.seq === null) bubble.classList.add("pending");
    if (pending.failed) {
      bubble.classList.add("failed");
      const retry = element("button", { type: "button", class: "retry", dir: this.direction });
      retry.textContent = this.texts["web_retry"] ?? "";
      retry.addEventListener("click", () => this.actions.retry(pending));
      bubble.append(retry);
    }
    return bubble;
  }

  /** The label has its own `dir`, so that only the text decides the direction of the bubble. */
  #bubble(author: Author, text: string): HTMLElement {
    const name = this.texts[author === "customer" ? "web_you" : `web_${author}`] ?? author;
    const label = element("span", { class: "author", dir: this.direction });
    if (author === "agent") label.append(icon(AGENT));
    else label.classList.add("visually-hidden");
    label.append(name);
    const bubble = element("div", { class: "message", "data-author": author, dir: "auto" });
    bubble.append(label, element("p", {}, text));
    return bubble;
  }

  #source(source: Source): HTMLElement | null {
    const href = safeUrl(source.url, this.origin);
    if (href === null) return null;
    return element(
      "a",
      {
        href,
        target: "_blank",
        rel: "noopener",
        hreflang: source.language,
        dir: this.direction,
        "data-testid": "source",
      },
      element("span", {}, `${this.texts["web_sources"] ?? ""}: `),
      element("bdi", {}, source.title),
      icon(OPENS_ELSEWHERE),
    );
  }

  #quickReplies(message: Message): HTMLElement {
    const buttons = message.buttons.map((reply) => {
      const button = element(
        "button",
        { type: "button", dir: "auto", "data-testid": "quick-reply" },
        reply.title,
      );
      button.addEventListener("click", () => this.actions.send(reply.text));
      return button;
    });
    return element("div", { class: "quick-replies" }, ...buttons);
  }
}
