import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Comparison } from '../../src/compare/comparison.ts';
import { comparisonPage } from '../../src/compare/page.ts';
import { chromiumPath } from '../servers/chromium.ts';
import { manyRuns } from './many-runs.ts';

const executablePath = chromiumPath();
const EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
/** A machine that does much else is slow. */
const PATIENCE = 400_000;

const axeResult = z.object({
  violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
});

test('a page of 2,000 runs with 50 columns and 1,000 histories is smaller than 6 MB', async () => {
  const page = await comparisonPage(manyRuns(2000, { columns: 44, histories: 100, keys: 10, points: 100 }));
  console.error(`2,000 runs: ${(Buffer.byteLength(page) / 1e6).toFixed(1)} MB`);
  expect(Buffer.byteLength(page)).toBeLessThan(6_000_000);
});

describe('the page of a comparison, in Chromium', () => {
  let directory = '';
  let browser: Browser | undefined;
  beforeEach(({ skip }) => {
    skip(executablePath === undefined, 'there is no Chromium: install it, or name one by CHROMIUM');
  });
  beforeAll(async () => {
    if (executablePath === undefined) return;
    directory = await mkdtemp(join(tmpdir(), 'mlferry-page-'));
    browser = await chromium.launch({
      executablePath,
      // Root, and a machine without a graphics card.
      args: ['--no-sandbox', '--enable-unsafe-swiftshader'],
    });
  }, PATIENCE);
  afterAll(async () => {
    await browser?.close();
    if (directory !== '') await rm(directory, { recursive: true, force: true });
  });

  /** Opens the page of a comparison; `problems`: errors, and requests for anything else than the page. */
  async function open(comparison: Comparison, { dark = false } = {}) {
    const file = join(directory, `${comparison.runs.length}.html`);
    await writeFile(file, await comparisonPage(comparison));
    if (browser === undefined) throw new Error('No browser was started');
    const page = await browser.newPage({
      colorScheme: dark ? 'dark' : 'light',
      viewport: { width: 1300, height: 1000 },
    });
    page.setDefaultTimeout(PATIENCE);
    const problems: string[] = [];
    page.on('pageerror', ({ message }) => problems.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(`file://${file}`))
        problems.push(request.url());
    });
    await page.goto(`file://${file}`);
    await page.locator('html[data-ready]').waitFor({ state: 'attached' });
    return { page, problems };
  }

  const draw = async (page: Page, id: string) => {
    await page.locator(`#${id}`).scrollIntoViewIfNeeded();
    await page.locator(`#${id} .plot[data-traces]`).waitFor();
  };

  async function violations(page: Page): Promise<string[]> {
    await page.evaluate(axe.source);
    const { violations: found } = axeResult.parse(await page.evaluate('axe.run()'));
    return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' ')}`);
  }

  test.each([false, true])(
    'of two runs hides what is the same, and is accessible (dark: %s)',
    async (dark) => {
      const { page, problems } = await open(manyRuns(2), { dark });
      const heads = page.locator('#table tbody th');
      expect(await heads.allTextContents()).not.toContain('params.batch_size');
      await page.getByLabel('What is the same in all runs too').check();
      expect(await heads.allTextContents()).toContain('params.batch_size');
      expect(await page.locator('#table tr.differs').count()).toBeGreaterThan(3);
      expect(await page.locator('#table td.best').count()).toBe(1);
      for (const id of ['parallel', 'scatter', 'contour', 'histories', 'boxes']) await draw(page, id);
      const back = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      expect(back).toBe(dark ? 'rgb(21, 24, 28)' : 'rgb(255, 255, 255)');
      await page.getByLabel('Theme').selectOption(dark ? 'light' : 'dark');
      expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).not.toBe(back);
      expect(await violations(page)).toEqual([]);
      expect(problems).toEqual([]);
      await page.close();
    },
    PATIENCE,
  );

  test(
    'shows names as they are, whatever stands in them',
    async () => {
      const { runs, histories, ...rest } = manyRuns(6);
      const { page, problems } = await open({
        ...rest,
        runs: runs.map((run, index) => ({
          ...run,
          run_name: `${EVIL}${index}`,
          tags: { [EVIL]: `${EVIL}${index}` },
          params: { ...run.params, [EVIL]: `${EVIL}${index % 2}` },
          link: 'javascript:document.title=3',
          commit: `${index}`,
        })),
        histories: histories.map((history) => ({ ...history, key: EVIL })),
      });
      for (const id of ['parallel', 'scatter', 'contour', 'histories', 'boxes']) await draw(page, id);
      expect(await page.locator('#table thead th').allTextContents()).toContain(`${EVIL}0`);
      expect(await page.locator('img, a[href^="javascript"]').count()).toBe(0);
      expect(await page.title()).toBe('6 runs side by side');
      expect(problems).toEqual([]);
      await page.close();
    },
    PATIENCE,
  );

  test(
    'of 2,000 runs is brushed, sorted and drawn over other axes, and its address keeps what was chosen',
    async () => {
      const { page, problems } = await open(manyRuns(2000, { columns: 44, histories: 20, keys: 2 }));
      console.error(`2,000 runs: ready after ${await page.locator('html').getAttribute('data-ready')} ms`);
      const runs = async () =>
        Number(await page.locator('#table > div[data-runs]').getAttribute('data-runs'));
      expect(await runs()).toBe(2000);

      // The mouse, along the upper half of the first axis.
      await draw(page, 'parallel');
      const axis = page.locator('#parallel .axis-brush .background').first();
      const box = await axis.boundingBox();
      if (box === null) throw new Error('There is no axis');
      const x = box.x + box.width / 2;
      await page.mouse.move(x, box.y + 5);
      await page.mouse.down();
      for (const share of [0.1, 0.3, 0.5]) await page.mouse.move(x, box.y + box.height * share);
      await page.mouse.up();
      await expect.poll(runs, { timeout: PATIENCE }).toBeLessThan(2000);
      const brushed = await runs();
      expect(brushed).toBeGreaterThan(100);
      expect(page.url()).toContain('ranges=');

      // Other axes, by the keyboard alone.
      await draw(page, 'scatter');
      await page.locator('#scatter').getByLabel('Across').focus();
      await page.keyboard.type('params.learning_rate');
      await page.keyboard.press('Enter');
      await expect
        .poll(() => page.locator('#scatter .xtitle').textContent(), { timeout: PATIENCE })
        .toBe('params.learning_rate');
      await draw(page, 'contour');
      expect(await page.locator('#contour .contourlayer path').count()).toBeGreaterThan(3);
      await draw(page, 'histories');
      expect(await page.locator('#histories .plot').getAttribute('data-traces')).not.toBe('0');
      await draw(page, 'boxes');

      await page.locator('#table .sort', { hasText: 'metrics.loss' }).click();
      const sorted = page.locator('#table th[aria-sort="ascending"]');
      expect(await sorted.textContent()).toContain('metrics.loss');

      // A link shows the same.
      await page.reload();
      await page.locator('html[data-ready]').waitFor({ state: 'attached' });
      expect(await runs()).toBe(brushed);
      expect(await page.locator('#scatter').getByLabel('Across').inputValue()).toBe('params.learning_rate');
      await page.emulateMedia({ media: 'print' });
      expect(await page.locator('.controls').first().isVisible()).toBe(false);
      await page.emulateMedia({ media: 'screen' });
      await page.getByRole('button', { name: 'Reset all' }).click();
      expect(new URL(page.url()).hash).toBe('');
      expect(problems).toEqual([]);
      await page.close();
    },
    PATIENCE,
  );
});
