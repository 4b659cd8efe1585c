#!/usr/bin/env python3
"""The dashboard in headless Chromium: that it draws what the server holds, can be used by keyboard,
fits a phone, shows names and messages as text whatever they are, and loads nothing from elsewhere.

    apt-get install chromium; pip install playwright
    tests/dashboard/check.py target/debug/weir [folder for screenshots]
"""

import asyncio
import re
import socket
import subprocess
import sys
import time

from playwright.async_api import async_playwright

NASTY = b"<img src=x onerror=alert(1)>"


def ask(port, *words):
    request = b"*%d\r\n" % len(words)
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        request += b"$%d\r\n%s\r\n" % (len(word), word)
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(request)
        return stream.recv(1 << 20)


def start(binary):
    server = subprocess.Popen(
        [binary, "--port", "0", "--http-port", "0"], stdout=subprocess.PIPE, text=True
    )
    for line in server.stdout:
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", line)
        if found:
            port = int(found.group(1))
            info = ask(port, "INFO", "server").decode()
            return server, port, re.search(r"http_address:(\S+)", info).group(1)
    raise SystemExit("the server did not start")


async def until(what, holds):
    """Waits for something to become true; says what it was if it does not."""
    for _ in range(100):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(what)


class Page:
    """A page with what it complained of and what it asked for."""

    def __init__(self, page):
        self.page, self.errors, self.asked = page, [], []
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    @classmethod
    async def open(cls, browser, url, width=1360, height=900, **options):
        context = await browser.new_context(viewport={"width": width, "height": height}, **options)
        opened = cls(await context.new_page())
        await opened.page.goto(url)
        await opened.page.wait_for_selector("body[data-ready]", timeout=15000)
        return opened

    async def check(self, base):
        assert not self.errors, self.errors
        elsewhere = [url for url in self.asked if not url.startswith((base, "data:"))]
        assert not elsewhere, elsewhere
        width, seen = await self.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert width <= seen, f"the page is {width} wide, {seen} are seen"


async def check(base, port, pictures):
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        desk = await Page.open(browser, f"{base}/?theme=light")
        rows = desk.page.locator("#rows tr")
        await until("three queues are shown", lambda: count_is(rows, 3))
        names = await desk.page.locator("#rows .name").all_text_contents()
        assert NASTY.decode() in names, names
        assert await desk.page.locator("#alerts p").count() == 1

        keys = desk.page.keyboard
        await keys.press("/")
        await keys.type("mail:*")
        await until("one queue matches", lambda: count_is(rows, 1))
        await keys.press("Enter")
        await keys.press("j")
        await keys.press("Enter")
        await desk.page.wait_for_selector("#one h1")
        assert await desk.page.locator("#one h1").text_content() == "mail:welcome"
        assert await desk.page.locator("#one .message").count() == 3
        await keys.press("Escape")
        await desk.page.wait_for_selector("#overview:not([hidden])")
        for tab in ("channels", "losses", "queues"):
            await desk.page.click(f"#tab-{tab}")
            assert await desk.page.locator(f"#{tab}").is_visible()
        before = await desk.page.evaluate("document.documentElement.dataset.theme")
        await keys.press("t")
        assert before != await desk.page.evaluate("document.documentElement.dataset.theme")

        # What comes while somebody looks shows up by itself.
        ask(port, "RPUSH", "mail:late", "x")
        await until("a new queue shows up", lambda: count_is(rows, 2))

        phone = await Page.open(
            browser, f"{base}/?theme=dark", 390, 1100, is_mobile=True, has_touch=True
        )
        nasty = await Page.open(browser, f"{base}/#/queue/0/{NASTY.decode()}")
        await nasty.page.wait_for_selector("#one h1")
        assert await nasty.page.locator("img").count() == 0
        for name, opened in (("desk", desk), ("phone", phone), ("nasty", nasty)):
            await opened.check(base)
            if pictures:
                await opened.page.screenshot(path=f"{pictures}/{name}.png")
        await browser.close()


async def count_is(rows, expected):
    return await rows.count() == expected


def main():
    server, port, http = start(sys.argv[1])
    try:
        ask(port, "WEIR.POLICY", "SET", "mail:*", "ALERT-LENGTH", "3")
        ask(port, "RPUSH", "mail:welcome", "one", "two", "three")
        ask(port, "RPUSH", NASTY, NASTY)
        ask(port, "XADD", "events", "*", "kind", "click")
        time.sleep(1.5)  # the alert is told of within about a second
        asyncio.run(check(f"http://{http}", port, sys.argv[2] if len(sys.argv) > 2 else None))
        print("the dashboard is as it should be")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
