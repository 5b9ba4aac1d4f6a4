// Shows the page of a verification in a frame. Resolves once the user has called, or has typed the code.

export async function prove(pageUrl, place) {
  await load(pageUrl.split("#")[0] + "/callverify.js");
  await new Promise((resolve, reject) => {
    const element = document.createElement("call-verify");
    element.setAttribute("page-url", pageUrl);
    element.addEventListener("verified", resolve);
    for (const end of ["failed", "expired", "canceled", "restart"])
      element.addEventListener(end, () => reject(new Error(end)));
    place.replaceChildren(element);
  });
}

function load(url) {
  if (customElements.get("call-verify")) return undefined;
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    script.src = url;
    document.head.append(script);
  });
}
