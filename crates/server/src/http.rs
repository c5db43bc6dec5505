//! What every page and answer of our own servers carries: headers that keep a browser strict, and
//! the two files that pages load.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{self, HeaderName};
use axum::middleware::Next;
use axum::response::Response;

/// Nothing from elsewhere, no script, no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Adds the headers to every answer.
pub async fn strict(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

type Asset = ([(HeaderName, &'static str); 2], &'static str);

const fn asset(kind: &'static str, text: &'static str) -> Asset {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=3600")], text)
}

/// The style sheet of portal and console.
pub async fn style() -> Asset {
    asset("text/css; charset=utf-8", include_str!("../assets/cordon.css"))
}

/// The picture in a browser's tab.
pub async fn icon() -> Asset {
    asset("image/svg+xml", include_str!("../assets/icon.svg"))
}

#[cfg(test)]
pub mod tests {
    /// A page as one line per element, for a snapshot that can be read.
    pub fn lines(page: &str) -> String {
        page.replace("><", ">\n<")
    }

    /// What holds of every page of ours.
    pub fn assert_sound(page: &str) {
        let has = |text: &str| page.matches(text).count();
        for once in ["<html lang=\"en\">", "<title>", "<h1>", "name=\"viewport\"", "<main id="] {
            assert_eq!(has(once), 1, "`{once}` once: {page}");
        }
        for never in ["http:", "https:", "href=\"//", "src=", "<script", "javascript:", "style=\""]
        {
            assert_eq!(has(never), 0, "`{never}` never: {page}");
        }
        let attributes = page.split('<').filter_map(|tag| tag.split('>').next());
        assert!(!attributes.clone().any(|tag| tag.contains(" on")), "no handler: {page}");
        let fields = attributes.filter(|tag| tag.starts_with("input"));
        let ids = fields.filter_map(|tag| tag.split("id=\"").nth(1)?.split('"').next());
        for id in ids {
            assert_eq!(has(&format!("<label for=\"{id}\"")), 1, "a label of `{id}`: {page}");
        }
        let levels = page.match_indices("<h").filter_map(|(at, _)| page[at + 2..].chars().next());
        levels.filter_map(|level| level.to_digit(10)).fold(0, |above, level| {
            assert!(level <= above + 1, "a heading of level {level} below {above}: {page}");
            level
        });
    }

    #[test]
    fn the_style_sheet_loads_nothing() {
        let sheet = include_str!("../assets/cordon.css");
        assert!(!sheet.contains("url(") && !sheet.contains("@import"));
    }
}
