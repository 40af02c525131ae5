// The slider beside the number field, and how long a firm price still stands. Pages work without either.
"use strict";

const grouped = (minor, digits) => {
  const text = String(minor).padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, ",");
  return digits ? `${whole}.${text.slice(-digits)}` : whole;
};

for (const form of document.querySelectorAll("form[data-amount]")) {
  const field = form.querySelector("#amount");
  const slide = form.querySelector("input[type=range]");
  const digits = Number(slide.dataset.digits);
  const most = Number(slide.max);
  const code = form.querySelector(".money span").textContent;
  const copies = document.querySelectorAll("[data-copy]");
  const press = document.querySelector("[data-press]");
  slide.hidden = false;
  form.querySelector(".shares").hidden = false;
  const say = (minor) => {
    field.value = grouped(minor, digits);
    for (const copy of copies) copy.value = field.value;
    if (press) press.textContent = `${press.dataset.press} ${code} ${field.value}`;
  };
  const read = () => {
    const found = /^(\d+)(?:\.(\d*))?$/.exec(field.value.replaceAll(",", "").trim());
    if (!found || (found[2] || "").length > digits) return null;
    return Number(found[1]) * 10 ** digits + Number((found[2] || "").padEnd(digits, "0"));
  };
  const ask = () => form.dispatchEvent(new CustomEvent("scf-amount", { bubbles: true }));
  slide.addEventListener("input", () => say(Math.min(most, Number(slide.value) + Number(slide.step) > most ? most : Number(slide.value))));
  slide.addEventListener("change", ask);
  field.addEventListener("change", () => {
    const minor = read();
    if (minor === null || minor < 1 || minor > most) {
      if (form.method === "get") form.requestSubmit(); // the server says what is wrong
      return;
    }
    slide.value = minor;
    say(minor);
    ask();
  });
  for (const button of form.querySelectorAll("[data-share]")) {
    button.addEventListener("click", () => {
      const minor = Math.max(1, Math.floor((most * Number(button.dataset.share)) / 100));
      slide.value = minor;
      say(minor);
      ask();
    });
  }
}

const started = performance.now();
const clocks = [...document.querySelectorAll(".countdown")];
const tick = () => {
  for (const one of clocks) {
    const left = Math.floor(Number(one.dataset.seconds) - (performance.now() - started) / 1000);
    const two = (value) => String(value).padStart(2, "0");
    one.querySelector("[data-clock]").textContent =
      left > 0 ? `${Math.floor(left / 3600)}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}` : one.dataset.over;
    one.hidden = false;
  }
};
if (clocks.length) {
  tick();
  setInterval(tick, 1000);
}
