"""The report as Markdown, from JSON on standard input."""

import json
import sys

day = json.load(sys.stdin)
print(f"# Standup {day['team']}, {day['day']}\n")
for person in day["people"]:
    print(f"**{person['who']}** – {person['commits']} commits")
    for title in person["done"]:
        print(f"- done: {title}")
    for title in person["blocked"]:
        print(f"- blocked: {title}")
    print()
if day["meetings"]:
    print("Today: " + ", ".join(f"{meeting['at']} {meeting['title']}" for meeting in day["meetings"]))
if day["advice"]:
    print(f"\n> {day['advice']}")
