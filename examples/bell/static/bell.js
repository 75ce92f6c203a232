// What the page "By script" does. /hardy.js stands before it and tells when the session has ended.
const count = document.getElementById("rings");

async function ring() {
  const response = await fetch("/script/ring", { method: "POST" });
  if (response.ok) {
    const answer = await response.json();
    count.textContent = answer.rings;
  }
}

// Catch the end, start over, and call again. One ring more is fine where the old ones are lost; a half-filled
// order would not be: there the dialog is right, which opens where nobody calls preventDefault.
async function ringAgain() {
  let again = false;
  const caught = (event) => {
    event.preventDefault();
    again = true;
    document.removeEventListener("hardy:expired", caught);
    event.detail.reset().then(ring);
  };
  document.addEventListener("hardy:expired", caught);
  await ring();
  if (!again) document.removeEventListener("hardy:expired", caught);
}

document.getElementById("by-script").hidden = false;
document.getElementById("ring").addEventListener("click", ring);
document.getElementById("ring-again").addEventListener("click", ringAgain);
