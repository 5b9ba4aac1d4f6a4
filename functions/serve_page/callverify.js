// <call-verify page-url="…">: the page of a verification within a page of your own.
// Events: verified, failed, expired, canceled and restart (the user asks for a new verification); event.detail.id.
// They come from a browser: your server acts on its own record and a read with its API key, not on them.
"use strict";
(() => {
  const home = new URL(document.currentScript.src).origin;
  const EVENTS = ["pending", "verified", "failed", "expired", "canceled", "restart"];

  class CallVerify extends HTMLElement {
    static get observedAttributes() { return ["page-url"]; }

    connectedCallback() {
      this.listen = (event) => this.hear(event);
      window.addEventListener("message", this.listen);
      this.open();
    }

    disconnectedCallback() {
      window.removeEventListener("message", this.listen);
      this.replaceChildren();
    }

    attributeChangedCallback() {
      if (this.isConnected && this.listen) this.open();
    }

    open() {
      this.replaceChildren();
      const url = this.getAttribute("page-url");
      if (!url) return;
      if (new URL(url, location.href).origin !== home) throw new Error(`call-verify: page-url must be at ${home}`);
      const frame = document.createElement("iframe");
      frame.title = this.getAttribute("title") || "Phone verification";
      frame.allow = `clipboard-write ${home}`;
      frame.referrerPolicy = "no-referrer";
      frame.style.cssText = "display:block;width:100%;height:28rem;border:0;color-scheme:light dark";
      frame.addEventListener("load", () => frame.contentWindow.postMessage({ callverify: "hello" }, home));
      frame.src = url;
      this.frame = frame;
      this.last = null;
      this.append(frame);
    }

    hear(event) {
      if (!this.frame || event.source !== this.frame.contentWindow || event.origin !== home) return;
      const { callverify: type, id, height } = event.data || {};
      if (type === "height" && height > 0) this.frame.style.height = `${Math.ceil(height)}px`;
      if (!EVENTS.includes(type) || (type === this.last && type !== "restart")) return;
      this.last = type;
      this.dispatchEvent(new CustomEvent(type, { bubbles: true, detail: { id } }));
    }
  }

  if (!customElements.get("call-verify")) customElements.define("call-verify", CallVerify);
})();
