package middleware

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // hardy.js
	"encoding/hex"
	"net/http"
	"time"
)

//go:embed hardy.js
var hardyJS []byte

// Script serves hardy.js, a small script for pages that call with fetch or htmx. Include it before them:
//
//	mux.Handle("GET /hardy.js", middleware.Script())
//
//	<script src="/hardy.js" data-reset="/hardy/reset"></script>
//
// Where an answer of this origin says that the session has ended, it dispatches a cancelable CustomEvent on the
// document:
//
//	document.addEventListener("hardy:expired", async (e) => {
//		e.preventDefault();        // no dialog
//		await e.detail.reset();    // start over: posts to ResetHandler, and rejects where that fails
//		await ring();              // call again, with a blank session
//	});
//
// e.detail.reason says why ("idle", "logout" …) and e.detail.response is the answer (of htmx there is none). The
// caller of fetch gets the 401 as ever. If nobody cancels the event, a dialog opens, once, with "Refresh now",
// which reloads the page; Escape closes it, so that text typed into the page can be saved, and the next
// call opens it again.
//
// A page that the back button brings out of the browser's memory is loaded anew: its session may have ended.
//
// Where the session is locked (session.Options.Lock) the event is "hardy:locked", and e.detail.unlock is the way to
// Options.Unlock and from there back to this page. If nobody cancels it, the dialog has a link there; opened in another tab
// it leaves this page, and what was typed into it, as it is. htmx is led there without a dialog.
//
// data-reset is where ResetHandler is mounted; reset() uses /hardy/reset without it. Where it is given,
// "Refresh now" resets before it reloads: pages that Sessions does not serve, and those under Ended: Strict, need it.
// data-title, data-text and data-button replace the dialog's texts, data-locked-title, data-locked-text and
// data-locked-button those of the other; their classes are hardy-expired and hardy-locked.
//
// The script needs no more of a Content-Security-Policy than script-src 'self' and connect-src 'self'. It touches
// no session; serve it outside of Sessions or on a path in Options.Skip. Browsers keep it for an hour, then ask
// whether it has changed.
func Script() http.Handler { return http.HandlerFunc(serveScript) }

var scriptTag = func() string {
	sum := sha256.Sum256(hardyJS)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}()

func serveScript(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET is allowed.", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("ETag", scriptTag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(hardyJS))
}
