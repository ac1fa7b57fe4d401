/** The open conversation: transcript, what is known about it and what the agent may do. */

import { element, setText } from "../dom";
import { Candidates } from "./candidates";
import type { Act, Conversation, Explanation, Line, Purchase } from "./desk";
import { ReplyForm } from "./reply-form";
import { Reasons } from "./why";
import * as wording from "./wording";

/** Pixels from the end within which a reader is taken to follow the conversation. */
const NEAR_THE_END = 80;

interface Actions {
  act(what: Act): void;
  judge(article: string | null, right: boolean | null): void;
  /** Resolves to true when the reply is recorded. */
  reply(text: string, article: string | null): Promise<boolean>;
  /** Why the assistant answered as it did in a turn. */
  explain(turn: string): Promise<Explanation>;
}

export class ConversationView {
  readonly element: HTMLElement;

  #title = element("h2");
  #state = element("p", { class: "state" });
  #transcript = element("div", {
    class: "transcript",
    role: "log",
    tabindex: "0",
    "aria-label": "Transcript",
    "data-testid": "transcript",
  });
  #candidates: Candidates;
  #lines = new Map<number, HTMLElement>();
  #reasons: Reasons;
  #purchases = element("ul");
  #buttons: Readonly<Record<Act, HTMLButtonElement>>;
  #form: ReplyForm;

  #lastSeq = 0;
  #known = "";

  constructor(private readonly actions: Actions) {
    this.#buttons = {
      claim: this.#button("claim", "Claim"),
      release: this.#button("release", "Release"),
      resolve: this.#button("resolve", "Resolve"),
    };
    this.#form = new ReplyForm((text, article) => this.actions.reply(text, article));
    this.#reasons = new Reasons((turn) => this.actions.explain(turn));
    this.#candidates = new Candidates({
      insert: (candidate) => this.#form.insert(candidate),
      judge: (article, right) => this.actions.judge(article, right),
    });
    this.element = element(
      "section",
      { class: "conversation", "aria-label": "Conversation" },
      element(
        "header",
        {},
        element("div", {}, this.#title, this.#state),
        element("div", { class: "acts" }, ...Object.values(this.#buttons)),
      ),
      this.#transcript,
      this.#form.element,
      element(
        "aside",
        {},
        this.#candidates.element,
        element("h3", {}, "Purchases"),
        this.#purchases,
      ),
    );
  }

  /** Brings the page up to date and leaves alone what is the same as before. */
  render(conversation: Conversation): void {
    const { owner, mine, claimedBy, requestedAt } = conversation;
    setText(this.#title, wording.reason(conversation.reason) || "Conversation");
    const asked = wording.moment(requestedAt);
    const facts = [
      wording.owner(owner, claimedBy, mine),
      wording.language(conversation.language),
      asked && `asked ${asked}`,
    ];
    setText(this.#state, facts.filter(Boolean).join(" · "));
    const isOwn = owner === "agent" && mine;
    this.#buttons.claim.hidden = owner !== "waiting";
    this.#buttons.release.hidden = !isOwn;
    this.#buttons.resolve.hidden = !isOwn;
    this.#form.element.hidden = !isOwn;
    this.#candidates.render(conversation, isOwn);
    this.#append(conversation.messages);
    for (const message of conversation.messages) this.#mark(message);
    this.#reasons.place(conversation.messages, this.#lines);
    this.#renderPurchases(conversation.purchases);
  }

  /** Shown in the page (again): an element out of the page forgets where it was scrolled to. */
  appeared(): void {
    this.#transcript.scrollTop = this.#transcript.scrollHeight;
  }

  #button(what: Act, label: string): HTMLButtonElement {
    const kind = what === "claim" ? "primary" : "secondary";
    const button = element("button", { type: "button", class: kind, "data-testid": what }, label);
    button.addEventListener("click", () => this.actions.act(what));
    return button;
  }

  #append(messages: readonly Line[]): void {
    const news = messages.filter((message) => message.seq > this.#lastSeq);
    if (news.length === 0) return;
    const { scrollHeight, scrollTop, clientHeight } = this.#transcript;
    const follows = this.#lastSeq === 0 || scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
    for (const message of news) this.#lines.set(message.seq, transcriptMessage(message));
    this.#transcript.append(...news.map((message) => this.#lines.get(message.seq) ?? ""));
    this.#lastSeq = Math.max(...news.map((message) => message.seq));
    if (follows) this.#transcript.scrollTop = this.#transcript.scrollHeight;
  }

  /** What became of a message on its way is known only later, and may change. */
  #mark(message: Line): void {
    const line = this.#lines.get(message.seq);
    const about = line?.querySelector<HTMLElement>(".about");
    if (!line || !about) return;
    setText(about, aboutMessage(message));
    line.toggleAttribute("data-undelivered", message.undelivered !== null);
  }

  #renderPurchases(purchases: readonly Purchase[]): void {
    const known = JSON.stringify(purchases);
    if (known === this.#known) return;
    this.#known = known;
    const nothing = element("li", { class: "empty" }, "Nothing.");
    const items = purchases.map(purchaseItem);
    this.#purchases.replaceChildren(...(items.length > 0 ? items : [nothing]));
  }
}

function transcriptMessage(message: Line): HTMLElement {
  return element(
    "article",
    { class: "line", "data-author": message.author },
    element("p", { class: "about" }, aboutMessage(message)),
    element("p", { class: "text", dir: "auto" }, message.text),
  );
}

function aboutMessage(message: Line): string {
  const facts = [wording.author(message.author), wording.moment(message.createdAt)];
  if (message.undelivered !== null) facts.push(wording.undelivered(message.undelivered));
  return facts.join(" · ");
}

function purchaseItem(purchase: Purchase): HTMLElement {
  const about = [purchase.orderId, wording.moment(purchase.purchasedAt)].filter(Boolean);
  return element("li", {}, element("bdi", {}, purchase.product), ` (${about.join(", ")})`);
}
