// Keeps the strip's line up to date, and shows the application anew where its session has ended elsewhere.
"use strict";
const line = document.getElementById("state");
setInterval(async () => {
	try {
		const answer = await fetch("state", { cache: "no-store" });
		if (answer.ok) {
			const text = await answer.text();
			if (text !== line.textContent) line.textContent = text;
		}
	} catch {
		line.textContent = "the server does not answer";
	}
}, 1000);
