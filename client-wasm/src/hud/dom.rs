//! Elements of the page that are changed only when what they show changes.

use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlElement};

/// The page's element with this id.
///
/// # Errors
/// None: where it is missing, page and module are of different builds, and the program ends here, saying so. That no error is handed
/// up keeps it small, since there are many elements.
#[inline]
pub(crate) fn element<T: JsCast>(document: &Document, id: &str) -> Result<T, String> {
    found(document.get_element_by_id(id), "#", id).dyn_into().or_else(|_| absent("#", id))
}

#[inline(never)]
fn found(element: Option<Element>, mark: &str, id: &str) -> Element {
    element.unwrap_or_else(|| absent(mark, id))
}

#[cold]
fn absent(mark: &str, id: &str) -> ! {
    wasm_bindgen::throw_val(["the page has no ", mark, id].concat().into())
}

/// The page, for the elements of a game.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub(crate) document: &'a Document,
}

impl Page<'_> {
    /// The element with this id.
    ///
    /// # Errors
    /// It is missing: page and module are of different builds.
    #[inline]
    pub fn element(&self, id: &str) -> Result<Shown, String> {
        Shown::new(self.document, id)
    }

    /// The first element that a CSS selector finds.
    ///
    /// # Errors
    /// As [`Page::element`].
    #[inline]
    pub fn find(&self, selector: &str) -> Result<Shown, String> {
        let found = found(self.document.query_selector(selector).ok().flatten(), "", selector);
        Ok(Shown::of(found.dyn_into().unwrap_or_else(|_| absent("", selector))))
    }
}

/// A new element with text, which is never markup, and a class.
#[must_use]
pub(crate) fn make(document: &Document, tag: &str, class: &str, text: &str) -> Option<web_sys::Element> {
    let made = document.create_element(tag).ok()?;
    if !class.is_empty() {
        made.set_class_name(class);
    }
    made.set_text_content(Some(text));
    Some(made)
}

/// An element of the page, changed only when what it shows changes.
#[derive(Debug)]
pub struct Shown {
    pub(crate) element: HtmlElement,
    looks: Box<Looks>,
}

/// What an element shows. Apart from it, since elements are moved into place, and what is moved is code for each of them.
#[derive(Debug)]
struct Looks {
    text: String,
    class: String,
    label: String,
    mille: Option<u16>,
}

impl Shown {
    /// Wraps an element of the page.
    ///
    /// # Errors
    /// As [`element`].
    #[inline]
    pub(crate) fn new(document: &Document, id: &str) -> Result<Self, String> {
        element(document, id).map(Shown::of)
    }

    #[must_use]
    #[inline(never)]
    pub(crate) fn of(element: HtmlElement) -> Self {
        let looks = Looks { text: String::new(), class: "\0".to_owned(), label: String::new(), mille: None };
        Shown { element, looks: Box::new(looks) }
    }

    /// Sets its text, which is never markup.
    pub fn text(&mut self, text: &str) {
        if self.looks.text != text {
            self.element.set_text_content(Some(text));
            text.clone_into(&mut self.looks.text);
        }
    }

    /// Sets its classes, separated by spaces.
    pub fn class(&mut self, class: &str) {
        if self.looks.class != class {
            self.element.set_class_name(class);
            class.clone_into(&mut self.looks.class);
        }
    }

    /// Sets what it is called, for those who do not see it.
    pub(crate) fn label(&mut self, label: &str) {
        if self.looks.label != label {
            let _ = self.element.set_attribute("aria-label", label);
            label.clone_into(&mut self.looks.label);
        }
    }

    /// Fills this share of its width, 0..=1.
    pub fn fill(&mut self, share: f32) {
        let mille = (share.clamp(0.0, 1.0) * 1000.0).round() as u16;
        if self.looks.mille != Some(mille) {
            set_style(&self.element, "transform", &format!("scaleX({}.{:03})", mille / 1000, mille % 1000));
            self.looks.mille = Some(mille);
        }
    }

    /// Restarts the animation of this class.
    pub fn replay(&mut self, class: &str) {
        self.element.set_class_name("");
        // Reading a size makes the browser render the element without the class in between.
        let _ = self.element.offset_width();
        self.looks.class.clear();
        self.class(class);
    }

    /// Shows or hides it.
    pub fn visible(&self, there: bool) {
        if self.element.hidden() == there {
            self.element.set_hidden(!there);
        }
    }
}

/// Sets a style; a browser that does not know it ignores it.
pub(crate) fn set_style(element: &HtmlElement, name: &str, value: &str) {
    let _ = element.style().set_property(name, value);
}
