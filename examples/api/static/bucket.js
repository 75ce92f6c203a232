// The bucket drains and fills as one clicks. All that is known comes from the fields of the answers:
// q and w of RateLimit-Policy say how fast it fills, r of RateLimit what is left.
"use strict";
{
	const byId = (id) => document.getElementById(id);
	const svg = byId("bucket"), water = byId("water"), number = byId("number"), drop = byId("drop");
	const calm = matchMedia("(prefers-reduced-motion: reduce)");
	const span = 30_000, floor = 230, depth = 200;

	let burst = Number(svg.dataset.burst), rate = Number(svg.dataset.rate);
	let level = Number(svg.dataset.left), at = performance.now();
	let wait = 0; // until when the last refusal asked to wait
	const past = [], clicks = [];

	// now is how full the bucket is by our reckoning; the next answer corrects it. A frame's time may be before
	// that of an answer which it shows.
	const now = (t) => Math.min(burst, level + Math.max(0, t - at) / 1000 * rate);

	const field = (value, name) => {
		const found = new RegExp(`"click"[^,]*;${name}=(\\d+)`).exec(value ?? "");
		return found ? Number(found[1]) : undefined;
	};

	function learn(answer) {
		changing = true;
		const t = performance.now(), policy = answer.headers.get("RateLimit-Policy"), left = field(answer.headers.get("RateLimit"), "r");
		burst = field(policy, "q") ?? burst;
		rate = burst / (field(policy, "w") ?? burst / rate);
		if (left !== undefined) {
			// r is whole units; ours may know of a part more.
			const guess = now(t) - (answer.ok ? 1 : 0);
			level = guess >= left && guess < left + 1 ? guess : left;
			at = t;
		}
		byId("fields").textContent = ["RateLimit-Policy", "RateLimit", "Retry-After"]
			.filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`).join("\n");
		clicks.push({ t, y: level, ok: answer.ok });
		const retry = Number(answer.headers.get("Retry-After"));
		wait = answer.ok ? 0 : t + retry * 1000;
		const word = byId("word");
		word.classList.toggle("bad", !answer.ok);
		word.textContent = answer.ok ? `Let in; ${left} left.` : `${answer.status}: refused. Come again in ${retry} s.`;
	}

	// One click after the other, so that the answers come in the order of the clicks.
	let turn = Promise.resolve();
	const take = () => { turn = turn.then(send); };

	async function send() {
		try {
			const answer = await fetch("/click", { method: "POST", headers: { Accept: "application/json" } });
			learn(answer);
			const body = await answer.json();
			byId("shadow").textContent = body.shadow ?? body.title;
		} catch {
			byId("word").textContent = "The server did not answer.";
		}
	}

	// The table comes from the server, once a second while it changes: to look costs nothing.
	let changing = false;
	async function refresh() {
		if (!changing) return;
		changing = now(performance.now()) < burst;
		try {
			const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
			byId("standings").replaceWith(page.getElementById("standings"));
		} catch {} // the next click tells that the server does not answer
	}
	setInterval(refresh, 1000);

	function draw(t) {
		const full = now(t), height = depth * full / burst, whole = Math.floor(full + 1e-6);
		water.setAttribute("y", floor - height);
		water.setAttribute("height", height);
		if (number.textContent !== String(whole)) {
			number.textContent = whole;
			svg.setAttribute("aria-label", `${whole} of ${burst} clicks are left`);
		}
		const falls = full < burst && !calm.matches;
		drop.setAttribute("visibility", falls ? "visible" : "hidden");
		if (falls) {
			const way = (t / 1000 * rate) % 1;
			drop.setAttribute("cy", 12 + way * way * (floor - height - 12));
		}
		if (wait && t >= wait) {
			wait = 0;
			byId("word").classList.remove("bad");
			byId("word").textContent = "It holds one again.";
		}
		chart(t, full);
	}

	function chart(t, full) {
		past.push([t, full]);
		while (past.length && past[0][0] < t - span) past.shift();
		while (clicks.length && clicks[0].t < t - span) clicks.shift();
		const x = (then) => (600 - (t - then) / span * 600).toFixed(1), y = (n) => (110 - n / burst * 100).toFixed(1);
		byId("line").setAttribute("points", past.map(([then, n]) => `${x(then)},${y(n)}`).join(" "));
		// A path of no length with round ends is a dot that no stretching makes an ellipse.
		byId("dots").replaceChildren(...clicks.map((click) => {
			const dot = document.createElementNS("http://www.w3.org/2000/svg", "path");
			dot.setAttribute("d", `M${x(click.t)} ${y(click.y)}h.01`);
			dot.setAttribute("class", click.ok ? "dot" : "dot no");
			return dot;
		}));
	}

	byId("form").addEventListener("submit", (e) => { e.preventDefault(); take(); });
	byId("history").hidden = false;
	let last = 0;
	const frame = (t) => {
		if (t - last >= (calm.matches ? 500 : 33)) {
			last = t;
			draw(t);
		}
		requestAnimationFrame(frame);
	};
	requestAnimationFrame(frame);
}
