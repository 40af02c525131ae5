// Comforts at the door: copy and share a link, fill in a wallet's address, notice when something went on.
"use strict";

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.done;
  });
}
for (const button of document.querySelectorAll("button[data-share]")) {
  if (!navigator.share) continue;
  button.hidden = false;
  button.addEventListener("click", () => navigator.share({ text: button.dataset.share }).catch(() => {}));
}
for (const field of document.querySelectorAll("input[data-wallet]")) {
  if (!window.ethereum) continue;
  field.addEventListener("focus", async () => {
    if (field.value) return;
    const found = await window.ethereum.request({ method: "eth_requestAccounts" }).catch(() => []);
    if (found.length) field.value = found[0];
  });
}
const looked = document.querySelector("[data-look]");
if (looked) {
  setInterval(async () => {
    if (document.hidden) return;
    const answer = await fetch(location.pathname).catch(() => null);
    if (!answer) return;
    const there = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-look]");
    if (answer.redirected || !there || there.dataset.look !== looked.dataset.look) location.reload();
  }, 5000);
}
