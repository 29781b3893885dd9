// Reloads the page of the fleet, unless somebody is at work on it or nobody sees it.
setInterval(() => {
  if (!document.hidden && document.activeElement === document.body && getSelection().isCollapsed) location.reload();
}, 5000);
