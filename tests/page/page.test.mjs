// The page in Chromium: what a person does with it. Run by .ci/page.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { AXE, browser, dev, open, until } from "./browser.mjs";

// Files that have "bad" in them are refused, each with its own line number; "mended" beside the program lets them pass.
const WORKER = `#!/bin/sh
if [ -e "$(dirname "$0")/mended" ]; then exit 0; fi
if grep -q bad "$1"; then echo "line $(wc -c < "$1"): the day is missing" >&2; exit 1; fi
if grep -q odd "$1"; then echo "no header" >&2; exit 1; fi
`;

let chrome, system, context, page, errors;

before(async () => {
  chrome = await browser();
  system = await dev(WORKER);
  context = await chrome.newContext({ baseURL: new URL(system.url).origin });
  ({ page, errors } = await open(context, system.url));
});

after(async () => {
  await chrome?.close();
  await system?.stop();
});

/** Drops files onto the page as a person does with the mouse. */
async function drop(files) {
  const transfer = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const [name, content] of files) transfer.items.add(new File([content], name, { type: "text/csv" }));
    return transfer;
  }, files);
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
  await page.getByText(`${files.length} of ${files.length} file`).waitFor();
}

async function confirmed(button) {
  await page.locator(button).click();
  await page.locator("#yes").waitFor();
  const asked = await page.locator("#asked").innerText();
  await page.locator("#yes").click();
  await page.getByText("moved into the inbox").waitFor();
  const reloaded = page.waitForEvent("load");
  await page.locator("#no").click();
  await reloaded;
  return asked;
}

test("the printed address opens the page, and its key is gone from the address bar", () => {
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, "/");
});

test("a dropped file is processed", async () => {
  await drop([["good.csv", "1,2\n"]]);
  await page.goto("/?tab=processed");
  await until(page, "good.csv");
});

test("a bad one fails, and its reason is there, grouped with those of the same cause", async () => {
  await page.goto("/");
  await drop([["a.csv", "bad"], ["b.csv", "badly"], ["<img src=x onerror=alert(1)>.csv", "odd"]]);
  await until(page, "no header");
  await until(page, "line #: the day is missing");
  const rows = page.locator("tbody tr");
  assert.equal(await rows.count(), 2);
  assert.match(await rows.first().innerText(), /^2\s/);
  await rows.first().locator("a.open").first().click();
  assert.deepEqual(await page.locator("td.name a").allInnerTexts(), ["a.csv", "b.csv"]);
  assert.match(await page.locator("main").innerText(), /line 3: the day is missing/);
});

test("a name that is HTML is text", async () => {
  await page.goto("/?tab=failed&view=files&prefix=" + encodeURIComponent("<img"));
  const link = page.locator("td.name a");
  assert.equal(await link.innerText(), "<img src=x onerror=alert(1)>.csv");
  await link.click();
  assert.equal(await page.locator("h1").innerText(), "<img src=x onerror=alert(1)>.csv");
  assert.match(await page.locator("pre").first().innerText(), /no header/);
  assert.equal(await page.locator("main img").count(), 0);
});

test("the filter is in the address, and a parameter that the page does not know is an error", async () => {
  await page.goto("/?tab=failed&view=files");
  await page.keyboard.press("/");
  await page.keyboard.type("b*.csv");
  await page.keyboard.press("Enter");
  await page.waitForURL(/match=b/);
  assert.deepEqual(await page.locator("td.name a").allInnerTexts(), ["b.csv"]);
  await page.goto("/?knd=x");
  assert.match(await page.getByRole("alert").innerText(), /knows no parameter "knd"/);
  errors.length = 0; // The browser reports the page's own 400.
});

test("keys select a row and open it", async () => {
  await page.goto("/?tab=failed&view=files&match=*.csv");
  for (const key of ["j", "j", "k", "x"]) await page.keyboard.press(key);
  assert.equal(await page.locator("#replay-selected").innerText(), "Replay 1 object");
  await page.locator("tr.here a.open").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/object\?name=/);
  assert.equal(await page.getByRole("button", { name: "Replay", exact: true }).count(), 1);
  await page.goBack();
  await page.keyboard.press("?");
  assert.ok(await page.locator("#help").isVisible());
  await page.keyboard.press("Escape");
});

test("a dropped file replaces one of its name only when the person says so", async () => {
  await page.goto("/?tab=waiting");
  const answers = await page.evaluate(async (content) => {
    const token = document.querySelector("meta[name=token]").content;
    const put = async (query, body) => (await fetch("/upload/held%2Fx.csv" + query, { method: "PUT", body, headers: { "x-brigade-token": token } })).status;
    return [await put("", content), await put("", "other"), await put("?replace=1", "other"), await put("?replcae=1", "other")];
  }, "first");
  // The first may be processed before the second arrives.
  assert.equal(answers[0], 201);
  assert.ok([201, 409].includes(answers[1]), `${answers}`);
  assert.deepEqual(answers.slice(2), [201, 400]);
  errors.length = 0;
});

test("what is new is announced, and no row is replaced under the reader", async () => {
  await page.goto("/?tab=failed");
  const before = await page.locator("tbody").innerHTML();
  await drop([["late.csv", "bad"]]);
  await page.getByText("1 new, press r").waitFor();
  assert.equal(await page.locator("tbody").innerHTML(), before);
  await page.keyboard.press("r");
  await until(page, "4 objects failed");
});

test("replaying the selected ones and then a filter brings them back, and asks with the count", async () => {
  writeFileSync(join(system.folder, "mended"), "");
  await page.goto("/?tab=failed&view=files&prefix=a");
  await page.locator("#all").check();
  assert.match(await confirmed("#replay-selected"), /Replay 1 object\?/);
  await page.goto("/?tab=failed&kind=no+header");
  assert.match(await confirmed("#replay-all"), /Replay 1 object\?/);
  assert.match(page.url(), /kind=no\+header/, "the filter is kept");
  await page.goto("/?tab=processed");
  await until(page, "a.csv");
  await until(page, "onerror");
  await page.goto("/?tab=failed&view=files");
  assert.deepEqual(await page.locator("td.name a").allInnerTexts(), ["b.csv", "late.csv"], "nothing else was touched");
});

test("the CSV has what the filter selects", async () => {
  await page.goto("/?tab=failed&prefix=b");
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download CSV" }).click();
  const lines = readFileSync(await (await download).path(), "utf8").trim().split("\n");
  assert.equal(lines.length, 2);
  assert.match(lines[1], /^b\.csv,/);
});

test("a poll is started by its button, and is in its tab", async () => {
  await page.goto("/?tab=polls");
  await page.locator("#poll").click();
  await page.getByText(/found|already running/).first().waitFor();
  await until(page, "complete: 0 found");
});

test("all tabs of a browser share one event stream", async () => {
  await page.goto("/");
  const others = [];
  for (let count = 0; count < 7; count += 1) others.push((await open(context, "/?tab=waiting")).page);
  // A browser has six connections: with a stream in each tab this one would never load.
  await others[6].goto("/?tab=polls");
  for (const other of others) await other.close();
});

test("a foreign host and a foreign origin are refused", async () => {
  const { port } = new URL(system.url);
  const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  const status = (headers) => new Promise((done, failed) => {
    request({ host: "127.0.0.1", port, path: "/", headers: { cookie, ...headers } }, (answer) => done(answer.statusCode)).on("error", failed).end();
  });
  assert.equal(await status({}), 200);
  assert.equal(await status({ host: `evil.example:${port}` }), 403);
  assert.equal(await status({ origin: "http://evil.example" }), 403);
  // A page of another origin in this very browser.
  const foreign = await context.newPage();
  await foreign.route("http://evil.example/", (route) => route.fulfill({ body: "<p>evil</p>", contentType: "text/html" }));
  await foreign.goto("http://evil.example/");
  const stolen = await foreign.evaluate((url) => fetch(url, { credentials: "include" }).then((answer) => answer.text(), String), `http://127.0.0.1:${port}/`);
  assert.match(stolen, /TypeError/);
  await foreign.close();
});

test("axe finds nothing serious, in light and dark, wide and at 400 px", async () => {
  const axe = readFileSync(AXE, "utf8");
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1200, 400]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      for (const path of ["/", "/?tab=failed&view=files", "/?tab=flight", "/?tab=waiting", "/?tab=processed", "/?tab=polls", "/?knd=x"]) {
        await page.goto(path);
        if (path.includes("processed")) await page.locator("td.name a").first().click();
        const found = await page.evaluate(async (axe) => {
          // By the debugger: the page's own policy allows no foreign script.
          (0, eval)(axe);
          const { violations } = await window.axe.run();
          return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
            .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
        }, axe).catch((error) => [String(error)]);
        assert.deepEqual(found, [], `${path} ${colorScheme} ${width}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
        assert.ok(!wide, `${path} is wider than ${width} px`);
      }
    }
  }
  errors.length = 0;
});

test("10,000 failed files are paged", async () => {
  const many = await dev(WORKER, "--no-schedule");
  try {
    const failed = join(many.data, "failed");
    mkdirSync(failed, { recursive: true });
    for (let index = 0; index < 10_000; index += 1) writeFileSync(join(failed, `${String(index).padStart(5, "0")}.csv`), "bad");
    const other = await chrome.newContext({ baseURL: new URL(many.url).origin });
    const { page } = await open(other, many.url);
    await page.goto("/?tab=failed");
    assert.match(await page.locator("tbody").innerText(), /10,000/);
    await page.goto("/?tab=failed&view=files");
    const seen = new Set();
    for (let pages = 0; pages < 3; pages += 1) {
      const names = await page.locator("td.name a").allInnerTexts();
      assert.equal(names.length, 200);
      for (const name of names) seen.add(name);
      await page.locator("a[rel=next]").click();
      await page.waitForURL(/page=/);
      await page.locator(`td.name a >> text=${String((pages + 1) * 200).padStart(5, "0")}.csv`).waitFor();
    }
    assert.equal(seen.size, 600);
  } finally {
    await many.stop();
  }
});

test("the page's script made no error", () => assert.deepEqual([...new Set(errors)], []));
