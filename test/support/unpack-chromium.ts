/** A program: unpacks the package's Chromium into the folder for temporary files, which `TMPDIR` names. */

import chromium from "@sparticuz/chromium";

await chromium.executablePath();
