// Says at once that the session has ended, whoever ended it.
"use strict";
const words = {
	idle: "There was no activity for a while.",
	lifetime: "It reached the end of its lifetime.",
	logout: "You have signed out.",
	revoked: "It was ended from another device.",
	evicted: "A newer sign-in took its place.",
};
function over(why) {
	document.getElementById("why").textContent = why;
	document.querySelector("dialog").showModal();
}
const events = new EventSource("/live");
events.addEventListener("ended", (e) => {
	events.close();
	over(words[e.data] ?? "Refresh the page to go on.");
});
// The server went away for a moment: the browser connects again by itself, unless it was refused.
events.addEventListener("error", () => {
	if (events.readyState === EventSource.CLOSED) over("Refresh the page to go on.");
});
