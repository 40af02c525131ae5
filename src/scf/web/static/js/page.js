// Comforts on top of pages that work without them.
"use strict";

// Count what is still to confirm.
for (const form of document.querySelectorAll("form[data-gate]")) {
  const line = form.querySelector(".missing");
  const boxes = [...form.querySelectorAll("input[type=checkbox][required]")];
  const show = () => {
    const missing = boxes.filter((box) => !box.checked).length;
    line.textContent = missing ? `${line.dataset.missing}: ${missing}` : line.dataset.complete;
  };
  for (const box of boxes) box.addEventListener("change", show);
}

// One press is one press: what is being sent is not sent again.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if ((event.submitter || form).closest("[data-download]")) return; // a file comes, the page stays
    for (const button of form.querySelectorAll("button")) {
      button.setAttribute("aria-busy", "true");
      setTimeout(() => { button.disabled = true; }, 0);
    }
  });
}
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-busy]")) {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});

// Separate thousands while leaving the field; the server reads both forms.
for (const field of document.querySelectorAll("input[data-money]")) {
  field.addEventListener("blur", () => {
    const plain = field.value.replaceAll(",", "").trim();
    const found = /^(\d+)(\.\d+)?$/.exec(plain);
    if (found) field.value = found[1].replace(/\B(?=(\d{3})+$)/g, ",") + (found[2] || "");
  });
}

// Menus close by Escape and by pressing elsewhere.
const close = (but) => {
  for (const one of document.querySelectorAll(".who[open], .more[open]")) if (!but || !one.contains(but)) one.open = false;
};
document.addEventListener("click", (event) => close(event.target));
document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.activeElement.closest(".who[open], .more[open]");
  if (!open) return;
  close();
  open.querySelector("summary").focus();
});

// New facts: parts that can fetch themselves do; the page works the same without.
if (document.body.dataset.live && "EventSource" in window) {
  let source = null;
  const listen = () => {
    if (document.hidden || source) return;
    source = new EventSource(document.body.dataset.live);
    source.addEventListener("news", () => document.body.dispatchEvent(new CustomEvent("scf-news")));
  };
  const rest = () => {
    if (source) source.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : listen()));
  addEventListener("pagehide", rest);
  listen();
}
