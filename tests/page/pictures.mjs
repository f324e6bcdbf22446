// Draws the pictures of the page in docs/: `.ci/page pictures`.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { browser, dev, open, until } from "./browser.mjs";

const CAUSES = [
  ["day,reaction_ms\n0,250.8\n1,n/a\n2,260.1\n", 24],
  ["day,reaction_ms\n0,250.8\n1,249.9\n1,251.0\n", 12],
  ["", 4],
];

const chrome = await browser();
const system = await dev();
try {
  const inbox = join(system.data, "incoming");
  mkdirSync(inbox, { recursive: true });
  let number = 400;
  for (const [content, count] of CAUSES) {
    for (let index = 0; index < count; index += 1) writeFileSync(join(inbox, `subject-${(number += 1)}.csv`), content);
  }
  const context = await chrome.newContext({ baseURL: new URL(system.url).origin, viewport: { width: 1000, height: 720 }, colorScheme: "light" });
  const { page } = await open(context, system.url);
  await until(page, "42 objects failed");
  await page.waitForTimeout(6000);
  await page.goto("/");
  await page.screenshot({ path: "docs/page-light.png" });
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("tbody a.open").first().click();
  await page.locator("td.name a").first().waitFor();
  for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key);
  await page.screenshot({ path: "docs/page-dark.png" });
} finally {
  await chrome.close();
  await system.stop();
}
