/** The open conversation: transcript, what is known about it and what the agent may do. */

import { element, setText } from "../dom";
import { safeUrl, type Message } from "../protocol";
import type { Act, Candidate, Conversation, Purchase } from "./desk";
import * as wording from "./wording";

/** Pixels from the end within which a reader is taken to follow the conversation. */
const NEAR_THE_END = 80;
const MAX_TEXT_LENGTH = "4000";

interface Actions {
  act(what: Act): void;
  /** Resolves to true when the reply is recorded and its text may go. */
  reply(text: string): Promise<boolean>;
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
  #candidates = element("ul");
  #purchases = element("ul");
  #buttons: Readonly<Record<Act, HTMLButtonElement>>;
  #text = element("textarea", {
    rows: "3",
    maxlength: MAX_TEXT_LENGTH,
    dir: "auto",
    "aria-label": "Reply to the customer",
    placeholder: "Reply to the customer (Ctrl + Enter sends)",
    "data-testid": "reply-text",
  });
  #reply = element("button", { class: "primary", "data-testid": "reply" }, "Reply");
  #form = element("form", { class: "reply" }, this.#text, this.#reply);

  #lastSeq = 0;
  #known = "";

  constructor(private readonly actions: Actions) {
    this.#buttons = {
      claim: this.#button("claim", "Claim"),
      release: this.#button("release", "Release"),
      resolve: this.#button("resolve", "Resolve"),
    };
    this.#listenToForm();
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
      this.#form,
      element(
        "aside",
        {},
        element("h3", {}, "What the assistant considered"),
        this.#candidates,
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
    this.#form.hidden = !isOwn;
    this.#append(conversation.messages);
    this.#renderKnown(conversation);
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

  #listenToForm(): void {
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#form.requestSubmit();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#submit();
    });
  }

  async #submit(): Promise<void> {
    const written = this.#text.value;
    if (written.trim() === "" || this.#reply.disabled) return;
    this.#reply.disabled = true;
    const isRecorded = await this.actions.reply(written.trim());
    if (isRecorded && this.#text.value === written) this.#text.value = "";
    this.#reply.disabled = false;
  }

  #append(messages: readonly Message[]): void {
    const news = messages.filter((message) => message.seq > this.#lastSeq);
    if (news.length === 0) return;
    const { scrollHeight, scrollTop, clientHeight } = this.#transcript;
    const follows = this.#lastSeq === 0 || scrollHeight - scrollTop - clientHeight < NEAR_THE_END;
    this.#transcript.append(...news.map(transcriptMessage));
    this.#lastSeq = Math.max(...news.map((message) => message.seq));
    if (follows) this.#transcript.scrollTop = this.#transcript.scrollHeight;
  }

  #renderKnown({ candidates, purchases }: Conversation): void {
    const known = JSON.stringify([candidates, purchases]);
    if (known === this.#known) return;
    this.#known = known;
    this.#candidates.replaceChildren(...orNothing(candidates.map(candidateItem)));
    this.#purchases.replaceChildren(...orNothing(purchases.map(purchaseItem)));
  }
}

function transcriptMessage(message: Message): HTMLElement {
  const about = `${wording.author(message.author)} · ${wording.moment(message.createdAt)}`;
  return element(
    "article",
    { class: "line", "data-author": message.author },
    element("p", { class: "about" }, about),
    element("p", { class: "text", dir: "auto" }, message.text),
  );
}

function candidateItem(candidate: Candidate): HTMLElement {
  const href = safeUrl(candidate.url, location.origin);
  const title = element("bdi", {}, candidate.title);
  const link =
    href === null ? title : element("a", { href, target: "_blank", rel: "noopener" }, title);
  return element("li", {}, `${Math.round(candidate.probability * 100)} % `, link);
}

function purchaseItem(purchase: Purchase): HTMLElement {
  const about = [purchase.orderId, wording.moment(purchase.purchasedAt)].filter(Boolean);
  return element("li", {}, element("bdi", {}, purchase.product), ` (${about.join(", ")})`);
}

function orNothing(items: readonly HTMLElement[]): readonly HTMLElement[] {
  return items.length > 0 ? items : [element("li", { class: "empty" }, "Nothing.")];
}
