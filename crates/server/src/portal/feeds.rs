//! The bulletins as Atom (RFC 4287), RSS 2.0 and JSON Feed 1.1, newest first, newest versions only.

use serde_json::json;

use super::pages::Bulletin;
use crate::config::Company;

/// What a feed is about and where it stands.
pub struct Feed<'a> {
    /// Whose feed it is.
    pub company: &'a Company,
    /// The portal's base URL, without a final slash.
    pub base: &'a str,
    /// The bulletins, newest first.
    pub bulletins: &'a [Bulletin],
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && c != '\n' => {}
            c => out.push(c),
        }
    }
    out
}

impl Feed<'_> {
    fn current(&self) -> impl Iterator<Item = &Bulletin> {
        self.bulletins.iter().filter(|bulletin| !bulletin.superseded)
    }

    fn title(&self) -> String {
        format!("{} security updates", self.company.name)
    }

    fn url(&self, bulletin: &Bulletin) -> String {
        let Bulletin { incident, number, version, .. } = bulletin;
        format!("{}/incidents/{incident}#b{number}v{version}", self.base)
    }

    /// Atom.
    pub fn atom(&self) -> String {
        let updated = self.current().map(|b| b.published_at).max();
        let updated = updated.map_or("1970-01-01T00:00:00Z".into(), |at| at.to_string());
        let entries: String = self
            .current()
            .map(|bulletin| {
                let url = escape(&self.url(bulletin));
                format!(
                    "<entry><id>{url}</id><title>{}</title><updated>{}</updated>\
                     <link href=\"{url}\"/><content type=\"text\">{}</content></entry>\n",
                    escape(&bulletin.title),
                    bulletin.published_at,
                    escape(&bulletin.text),
                )
            })
            .collect();
        let (base, title) = (escape(self.base), escape(&self.title()));
        let author = escape(&self.company.name);
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <feed xmlns=\"http://www.w3.org/2005/Atom\"><id>{base}/</id><title>{title}</title>\
             <updated>{updated}</updated><author><name>{author}</name></author>\
             <link rel=\"self\" href=\"{base}/feed.atom\"/><link href=\"{base}/\"/>\n{entries}</feed>\n"
        )
    }

    /// RSS.
    pub fn rss(&self) -> String {
        let items: String = self
            .current()
            .map(|bulletin| {
                let url = escape(&self.url(bulletin));
                let date = bulletin.published_at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S +0000");
                format!(
                    "<item><guid>{url}</guid><link>{url}</link><title>{}</title>\
                     <pubDate>{date}</pubDate><description>{}</description></item>\n",
                    escape(&bulletin.title),
                    escape(&bulletin.text),
                )
            })
            .collect();
        let (base, title) = (escape(self.base), escape(&self.title()));
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <rss version=\"2.0\"><channel><title>{title}</title><link>{base}/</link>\
             <description>{title}</description>\n{items}</channel></rss>\n"
        )
    }

    /// JSON Feed.
    pub fn json(&self) -> serde_json::Value {
        let items: Vec<_> = self
            .current()
            .map(|bulletin| {
                json!({
                    "id": self.url(bulletin),
                    "url": self.url(bulletin),
                    "title": bulletin.title,
                    "content_text": bulletin.text,
                    "date_published": bulletin.published_at,
                })
            })
            .collect();
        json!({
            "version": "https://jsonfeed.org/version/1.1",
            "title": self.title(),
            "home_page_url": format!("{}/", self.base),
            "feed_url": format!("{}/feed.json", self.base),
            "items": items,
        })
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    #[test]
    fn a_feed_has_the_newest_version_and_nothing_unescaped() {
        let bulletin = |version, superseded| Bulletin {
            incident: "inc_1".into(),
            number: 1,
            version,
            title: "A & B <script>".into(),
            text: "What we know".into(),
            published_at: Timestamp::parse("2026-02-05T04:00:00Z").expect("a time"),
            superseded,
        };
        let company = Company::default();
        let bulletins = [bulletin(2, false), bulletin(1, true)];
        let feed = Feed { company: &company, base: "https://trust.example", bulletins: &bulletins };
        for text in [feed.atom(), feed.rss(), feed.json().to_string()] {
            assert!(text.contains("inc_1#b1v2") && !text.contains("inc_1#b1v1"), "{text}");
            assert!(text.contains("https://trust.example/"));
        }
        assert!(
            feed.atom().contains("A &amp; B &lt;script&gt;") && !feed.rss().contains("<script>")
        );
        assert!(feed.rss().contains("Thu, 05 Feb 2026 04:00:00 +0000"));
    }
}
