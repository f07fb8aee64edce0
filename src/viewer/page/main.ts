/** The page, or in a worker the explorer: the same script is both. */
import './page.css';
import { config } from 'zod';
import { startApp } from './app.ts';
import { PageLab, readReport } from './lab.ts';
import { serveSearches } from './worker.ts';

// zod would make code from text, which the page's policy forbids.
config({ jitless: true });

if (typeof document === 'undefined') serveSearches();
else startApp(new PageLab(readReport()), document.getElementById('app')!);
