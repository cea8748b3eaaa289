// Before the first picture, so that it has the right colours.
document.documentElement.dataset.theme = JSON.parse(localStorage.chatctl ?? "{}").theme ?? "auto";
