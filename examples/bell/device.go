package main

import "strings"

// device names a browser and its system for people, from what the browser says of itself. Anyone can say anything
// there: it is for looking at, never for deciding.
func device(userAgent string) string {
	browser := firstIn(userAgent, "another program",
		"Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "FxiOS/", "Firefox", "Chrome/", "Chrome", "CriOS/", "Chrome",
		"Safari/", "Safari", "curl/", "curl")
	system := firstIn(userAgent, "",
		"Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS X", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	if system == "" {
		return browser
	}
	return browser + " on " + system
}

// firstIn returns the name that follows the first mark which is in s.
func firstIn(s, none string, marksAndNames ...string) string {
	for i := 0; i < len(marksAndNames); i += 2 {
		if strings.Contains(s, marksAndNames[i]) {
			return marksAndNames[i+1]
		}
	}
	return none
}
