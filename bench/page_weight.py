"""Goal 11: what the seller's first page weighs, HTML + CSS + JS compressed, and how many requests it makes."""

import gzip
import re
import urllib.request

from _common import installation, result, scratch, served

if __name__ == "__main__":
    with scratch():
        installation()
        with served("app:create_app()") as address:
            page = urllib.request.urlopen(address + "/").read()
            parts = sorted(set(re.findall(rb'(?:src|href)="(/(?:static|marque)/[^"#]+)', page)))
            wanted = {p.decode() for p in parts if re.search(rb"\.(css|js)", p)}
            for script in [p for p in wanted if ".js" in p]:
                body = urllib.request.urlopen(address + script).read()
                wanted |= {"/static/js/" + m.decode() for m in re.findall(rb'from "\./([\w.]+)"', body)}
            kb = sum(len(gzip.compress(urllib.request.urlopen(address + p).read(), 9)) for p in wanted) / 1024 + len(gzip.compress(page, 9)) / 1024
            requests = 1 + len(wanted) + len([p for p in parts if b".svg" in p])
    result("seller's page, kB compressed", f"{kb:.1f}", "25", kb / 25, "<= 1.00", kb <= 25)
    result("seller's page, requests", f"{requests}", "12", requests / 12, "<= 1.00", requests <= 12)
