// Sign with the wallet of this browser: it reads the same documents as the file, and its answers go into the same field.
"use strict";

for (const line of document.querySelectorAll("[data-wallet]")) {
  if (!window.ethereum) continue;
  line.hidden = false;
  const field = document.getElementById(line.dataset.wallet);
  const button = line.querySelector("button");
  button.addEventListener("click", async () => {
    const said = line.querySelector("[role=status]");
    button.disabled = true;
    said.textContent = "";
    try {
      const answer = await fetch("/to-sign", { method: "POST", body: new URLSearchParams({ sealed: field.form.elements.sealed.value }) });
      if (!answer.ok) throw new Error(String(answer.status));
      const { documents } = await answer.json();
      const [account] = await window.ethereum.request({ method: "eth_requestAccounts" });
      const signatures = [];
      for (const one of documents) {
        signatures.push(await window.ethereum.request({ method: "eth_signTypedData_v4", params: [account, JSON.stringify(one)] }));
      }
      const before = field.name === "signatures" ? "" : field.value.trim(); // a firm's account takes a line from each person
      field.value = [before, ...signatures].filter(Boolean).join("\n");
    } catch {
      said.textContent = line.dataset.failed;
    }
    button.disabled = false;
  });
}
