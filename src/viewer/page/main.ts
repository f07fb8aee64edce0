/** The page, or in a worker the explorer: the same script is both. */
import './page.css';

const app = document.getElementById('app');
if (app !== null) app.textContent = 'ext4lab';
