/** The agents' console: sign in, take conversations over, answer, hand them back. */

import { element, setText } from "../dom";
import { pause } from "../pause";
import { newMessageId, RequestFailed } from "../protocol";
import { ConversationView } from "./conversation-view";
import * as desk from "./desk";
import { Queue } from "./queue";
import { Remarks } from "./remarks";
import { signInForm } from "./sign-in";

const REFRESH = 2_000;

interface Opened {
  readonly id: string;
  readonly view: ConversationView;
}

class Console {
  #name: string | null = null;
  #opened: Opened | null = null;
  #refreshing: Promise<void> | null = null;
  /** Views stay while the page does: what was typed in one is still there on the way back. */
  #views = new Map<string, ConversationView>();
  /** What a refused act said stays until the next act; what a refresh said until the next one. */
  #actError = "";
  #refreshError = "";

  #alert = element("p", { class: "alert", role: "alert" });
  #form = signInForm((email, password) => this.#signIn(email, password));
  #queue = new Queue((id) => void this.#open(id));
  #remarks = new Remarks((id) => void this.#attempt(() => desk.markRead(id)));
  #stage = element("div", { class: "stage" });
  #nothing = element("p", { class: "empty" }, "Choose a conversation on the left.");
  #who = element("span", { class: "who" });
  #signOutButton = element("button", { type: "button", class: "secondary" }, "Sign out");
  #account = element("div", { class: "account", hidden: true }, this.#who, this.#signOutButton);
  #side = element("div", { class: "side" }, this.#queue.element, this.#remarks.element);
  #desk = element("div", { class: "desk", hidden: true }, this.#side, this.#stage);

  constructor(
    private readonly main: HTMLElement,
    private readonly bar: HTMLElement,
  ) {
    this.#signOutButton.addEventListener("click", () => void this.#signOut());
    this.#stage.append(this.#nothing);
  }

  async run(): Promise<never> {
    this.bar.append(this.#account);
    this.#form.hidden = true;
    this.main.append(this.#alert, this.#form, this.#desk);
    for (;;) {
      if (document.visibilityState === "visible") await this.#look();
      await pause(REFRESH);
    }
  }

  /** The person must be known before anything else is asked; without one the form is shown. */
  async #look(): Promise<void> {
    if (this.#name !== null) return this.#refresh();
    if (!this.#form.hidden) return;
    try {
      this.#welcome(await desk.whoAmI());
      await this.#refresh();
    } catch (error) {
      this.#refreshFailed(error);
    }
  }

  async #signIn(email: string, password: string): Promise<void> {
    await this.#attempt(async () => this.#welcome(await desk.signIn(email, password)));
  }

  #welcome(name: string): void {
    this.#name = name;
    this.#refreshError = "";
    this.#form.reset();
    setText(this.#who, name);
    this.#show();
  }

  async #signOut(): Promise<void> {
    if (!(await this.#attempt(desk.signOut))) return;
    this.#opened = null;
    this.#views.clear();
    this.#queue.render([], null);
    this.#remarks.render([]);
    this.#stage.replaceChildren(this.#nothing);
    this.#leave();
  }

  /** Back to the form. What was typed is kept: a session also ends by itself. */
  #leave(): void {
    this.#name = null;
    this.#show();
  }

  #show(): void {
    const isSignedIn = this.#name !== null;
    this.#form.hidden = isSignedIn;
    this.#desk.hidden = this.#account.hidden = !isSignedIn;
    setText(this.#alert, this.#actError || this.#refreshError);
  }

  async #open(id: string): Promise<void> {
    const view = this.#views.get(id) ?? this.#newView(id);
    this.#views.set(id, view);
    this.#opened = { id, view };
    this.#actError = "";
    await this.#refresh();
  }

  #newView(id: string): ConversationView {
    const nothing = { text: "", article: null as string | null, clientMessageId: "" };
    let unsent = nothing;
    return new ConversationView({
      act: (what) => void this.#attempt(() => desk.act(id, what)),
      judge: (article, right) => void this.#attempt(() => desk.judge(id, article, right)),
      explain: (turn) => desk.explanation(id, turn),
      reply: (text, article) => {
        // The same words tried again keep their id, so that the customer gets them once.
        if (unsent.text !== text || unsent.article !== article) {
          unsent = { text, article, clientMessageId: newMessageId() };
        }
        return this.#attempt(async () => {
          await desk.reply(id, unsent.clientMessageId, text, article);
          unsent = nothing;
        });
      },
    });
  }

  /** Does what the agent asked for, says what went wrong, and shows the new state. */
  async #attempt(what: () => Promise<void>): Promise<boolean> {
    this.#actError = "";
    try {
      await what();
    } catch (error) {
      this.#actError = wordsOf(error);
    }
    this.#show();
    await this.#refresh();
    return this.#actError === "";
  }

  /** One at a time: a refresh that is asked for during another follows it. */
  async #refresh(): Promise<void> {
    if (this.#name === null) return;
    while (this.#refreshing) await this.#refreshing;
    this.#refreshing = this.#fetchAll().finally(() => (this.#refreshing = null));
    await this.#refreshing;
  }

  async #fetchAll(): Promise<void> {
    try {
      this.#queue.render(await desk.entries(), this.#opened?.id ?? null);
      this.#remarks.render(await desk.remarks());
      if (this.#opened) await this.#fetchOpened(this.#opened);
      this.#refreshError = "";
      this.#show();
    } catch (error) {
      this.#refreshFailed(error);
    }
  }

  async #fetchOpened({ id, view }: Opened): Promise<void> {
    const conversation = await desk.conversation(id);
    if (this.#opened?.id !== id) return; // another one was chosen meanwhile
    view.render(conversation);
    if (this.#stage.contains(view.element)) return;
    this.#stage.replaceChildren(view.element);
    view.appeared();
  }

  #refreshFailed(error: unknown): void {
    if (error instanceof RequestFailed && error.status === 401) {
      this.#refreshError = "";
      this.#leave();
      return;
    }
    this.#refreshError = wordsOf(error);
    setText(this.#alert, this.#actError || this.#refreshError);
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`console.html has no element with id "${id}".`);
  return found;
}

void new Console(byId("console"), byId("bar")).run();
