/**
 * The chat of a page: `<script type="module" src="…/widget.js" data-language="vi">`.
 *
 * The gateway is where the script comes from. Elements with `data-buy` buy that product.
 */

import { backoff, pauseUntilOnline } from "../pause";
import { UsherChat } from "./element";
import { Gateway, type Texts } from "./gateway";

const script = [...document.scripts].find((candidate) => candidate.src === import.meta.url);
const language = script?.dataset["language"] ?? (document.documentElement.lang || "en");
const gateway = new Gateway(new URL(import.meta.url).origin, language);

async function loadTexts(): Promise<Texts> {
  for (let failures = 1; ; failures++) {
    try {
      return await gateway.texts();
    } catch {
      await pauseUntilOnline(backoff(failures)); // without words there is nothing to show
    }
  }
}

async function addChat(): Promise<[UsherChat, Texts]> {
  const texts = await loadTexts();
  const chat = new UsherChat(gateway, texts, language);
  document.body.append(chat);
  return [chat, texts];
}

async function buy(button: HTMLButtonElement, product: string): Promise<void> {
  button.disabled = true;
  const [chat, texts] = await ready;
  try {
    await gateway.buy(product);
    chat.announce(texts["web_bought"] ?? "");
  } catch {
    button.textContent = texts["web_retry"] ?? "";
  }
  button.disabled = false;
}

customElements.define("usher-chat", UsherChat);
const ready = addChat();

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const button = target?.closest<HTMLButtonElement>("button[data-buy]");
  if (button) void buy(button, button.dataset["buy"] ?? "");
});
