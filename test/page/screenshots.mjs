// node screenshots.mjs URL FOLDER: pictures of the page in light, dark and on a phone.
import { chromium } from "playwright-core";

const [, , url, folder] = process.argv;
const browser = await chromium.launch({
  executablePath: process.env.TRAFFIC_PAGE_CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
for (const [name, hash, options] of [
  ["page-light", "#/scenario/storefront", { viewport: { width: 1440, height: 1080 } }],
  ["page-dark", "#/scenario/checkout", { viewport: { width: 1440, height: 1080 }, colorScheme: "dark" }],
  ["page-phone", "#/scenario/storefront", { viewport: { width: 390, height: 844 }, colorScheme: "dark" }],
  ["page-failures", "#/failures", { viewport: { width: 1440, height: 1080 } }],
]) {
  const page = await browser.newPage(options);
  await page.goto(url + hash);
  await page.waitForTimeout(4000);
  if (name === "page-failures") {
    await page.locator("#failures summary", { hasText: "status" }).first().click();
    await page.waitForTimeout(500);
  }
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.close();
}
await browser.close();
