//! What a browser shows of a page at a size, in light or in dark.
//!
//! A report forbids scripts; the test's copy of it allows them and has one that measures and writes what it found into the
//! page, which the browser then prints. `MCSAN_SCREENSHOTS=FOLDER` keeps a picture of every page that a test looks at.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde::Deserialize;

use crate::browser::Chromium;

/// What a script found on a page.
#[derive(Debug, Deserialize)]
pub struct Measures {
    /// Of the window, in CSS pixels.
    pub width: f64,
    /// Of what would have to be scrolled to.
    pub scroll_width: f64,
    /// Whether the page is shown in dark, and what its background is.
    pub dark: bool,
    pub background: String,
    pub title: String,
    /// Files asked for beside the page.
    pub requests: usize,
    pub scripts: usize,
    /// Height of the smallest letters in a plot, in CSS pixels.
    pub smallest_letters: f64,
    /// Pairs of texts of a plot that lie on each other; texts that lie outside their plot.
    pub collisions: Vec<String>,
    pub outside: Vec<String>,
    /// Elements that stick out of the window and cannot be scrolled to.
    pub wide: Vec<String>,
    /// Headings of tables of which a column can only be scrolled to.
    pub sideways: Vec<String>,
}

/// A size of window and a face of the page.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub width: u32,
    pub dark: bool,
}

/// A phone and a desktop, each in light and in dark.
pub const VIEWS: [View; 4] = [
    View { width: 360, dark: false },
    View { width: 360, dark: true },
    View { width: 1280, dark: false },
    View { width: 1280, dark: true },
];

const SCRIPT: &str = r#"
addEventListener('load', () => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  const collisions = [], outside = [], wide = [];
  let smallest = Infinity;
  for (const svg of document.querySelectorAll('svg')) {
    const frame = svg.getBoundingClientRect();
    const scale = frame.width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()]);
    for (const [t, r] of texts) {
      smallest = Math.min(smallest, parseFloat(getComputedStyle(t).fontSize) * scale);
      if (r.left < frame.left - 2 || r.right > frame.right + 2 || r.top < frame.top - 2 || r.bottom > frame.bottom + 2)
        outside.push(t.textContent);
    }
    const upright = texts.filter(([t]) => !t.hasAttribute('transform'));
    upright.forEach(([a, ra], i) => {
      for (const [b, rb] of upright.slice(i + 1)) {
        const x = Math.min(ra.right, rb.right) - Math.max(ra.left, rb.left);
        const y = Math.min(ra.bottom, rb.bottom) - Math.max(ra.top, rb.top);
        if (x > 1 && y > 4) collisions.push(a.textContent + ' / ' + b.textContent);
      }
    });
  }
  for (const e of document.body.querySelectorAll('*')) {
    if (e.closest('svg') || e.closest('.scroll')?.contains(e) && !e.matches('.scroll')) continue;
    const r = e.getBoundingClientRect();
    if (r.right > innerWidth + 1 || r.left < -1) wide.push(e.tagName + ' ' + e.className);
  }
  const sideways = [...document.querySelectorAll('.scroll')]
    .filter(s => s.querySelector('table') && s.scrollWidth > s.clientWidth + 1).map(s => s.getAttribute('aria-label'));
  parent.postMessage(JSON.stringify({
    width: innerWidth, scroll_width: document.documentElement.scrollWidth,
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
    background: getComputedStyle(document.body).backgroundColor, title: document.title,
    requests: performance.getEntriesByType('resource').length, scripts: document.scripts.length - 1,
    smallest_letters: smallest, collisions, outside, wide, sideways }), '*');
});
"#;

/// The page in a frame, since the browser's own window is never narrower than 500 pixels. Media queries in a frame are
/// about the frame, and its face is that of the element it stands in.
const FRAME: &str = r#"<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<body style="margin:0"><iframe src="page.html" style="display:block;border:0;width:WIDTHpx;height:HEIGHTpx"></iframe>
<script>addEventListener('message', message => {
  const pre = document.createElement('pre');
  pre.id = 'measures';
  pre.textContent = message.data;
  document.body.append(pre);
})</script>"#;

/// A browser that measures pages.
pub struct Browser {
    chromium: Chromium,
}

impl Browser {
    /// As [`Chromium::find`].
    pub fn find(test: &str) -> Option<Self> {
        Chromium::find(test).map(|chromium| Self { chromium })
    }

    /// Shows a page and measures it. No console message may appear.
    pub fn measure(&self, html: &str, view: View, name: &str) -> Measures {
        let folder = tempfile::tempdir().unwrap();
        let policy = html.lines().find(|line| line.contains("Content-Security-Policy")).expect("a policy");
        let copy = html.replace(policy, "").replace("</head>", &format!("<script>{SCRIPT}</script></head>"));
        let output = self.show(folder.path(), &copy, view, &["--dump-dom", "--virtual-time-budget=20000"]);
        let console = console(&output);
        assert!(console.is_empty(), "{name}, {view:?}: {console:?}");
        let dom = String::from_utf8_lossy(&output.stdout);
        let measures = dom.split("<pre id=\"measures\">").nth(1).and_then(|rest| rest.split("</pre>").next());
        let measures =
            measures.unwrap_or_else(|| panic!("{name}, {view:?}: the script did not run:\n{}", String::from_utf8_lossy(&output.stderr)));
        let text = measures.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        self.picture(html, view, name);
        serde_json::from_str(&text).unwrap()
    }

    /// Shows the page itself, its policy in force, and returns what the console says.
    pub fn console_of(&self, html: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        console(&self.show(folder.path(), html, VIEWS[0], &["--dump-dom"]))
    }

    fn picture(&self, html: &str, view: View, name: &str) {
        let Some(pictures) = std::env::var_os("MCSAN_SCREENSHOTS") else { return };
        let folder = tempfile::tempdir().unwrap();
        let face = if view.dark { "dark" } else { "light" };
        let file = Path::new(&pictures).join(format!("{name}-{}-{face}.png", view.width));
        self.show(folder.path(), html, view, &[&format!("--screenshot={}", file.display())]);
    }

    fn show(&self, folder: &Path, html: &str, view: View, options: &[&str]) -> Output {
        fs::write(folder.join("page.html"), html).unwrap();
        let height = if view.width < 500 { 9000 } else { 5000 };
        let frame = FRAME.replace("WIDTH", &view.width.to_string()).replace("HEIGHT", &height.to_string());
        fs::write(folder.join("frame.html"), frame).unwrap();
        let scheme = if view.dark { 0 } else { 1 };
        self.chromium
            .command(folder)
            .args(["--disable-gpu", "--hide-scrollbars"])
            .arg(format!("--window-size={},{height}", view.width.max(500)))
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .args(options)
            .arg(format!("file://{}", folder.join("frame.html").display()))
            .output()
            .expect("the browser starts")
    }
}

/// Messages of the page's console.
fn console(output: &Output) -> Vec<String> {
    String::from_utf8_lossy(&output.stderr).lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect()
}
