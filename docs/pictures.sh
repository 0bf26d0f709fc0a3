#!/bin/sh
# Draws the pictures in assets/ that browsers and messengers want as pixels: the icons of the installed page, from assets/favicon.svg, and
# the picture of a link, from docs/play.png. Chromium draws them, because nothing else here reads SVG. Run it after one of those changed:
#
#     sh docs/pictures.sh            # CHROMIUM names another browser than `chromium`
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

# Rounded corners are for browsers that show the icon as it is. Launchers cut their own shape out of a full square, of which only the middle
# circle, 0.8 of the width, is sure to be seen; the ship takes 0.85 of its size to stay inside.
square=$(sed -e 's/ rx="14"//' -e 's|/><path|/><g transform="translate(32 32) scale(.85) translate(-32 -32)"><path|' \
    -e 's|</svg>|</g></svg>|' assets/favicon.svg)
encode() { base64 | tr -d '\n'; }
sized() { sed 's/viewBox/width="512" height="512" viewBox/' | encode; }
cat > "$work/draw.html" <<END
<img id="rounded" src="data:image/svg+xml;base64,$(sized < assets/favicon.svg)">
<img id="square" src="data:image/svg+xml;base64,$(printf %s "$square" | sized)">
<img id="play" src="data:image/png;base64,$(encode < docs/play.png)">
<script>
function draw(name, picture, width, height, kind) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  // Covers the whole canvas; what does not fit is cut off on both sides.
  const scale = Math.max(width / picture.naturalWidth, height / picture.naturalHeight);
  const [wide, high] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (width - wide) / 2, (height - high) / 2, wide, high);
  document.body.append("\n" + name + " " + canvas.toDataURL(kind, 0.82).split(",")[1] + "\n");
}
onload = () => {
  for (const size of [192, 512]) draw("icon-" + size + ".png", rounded, size, size, "image/png");
  draw("icon-maskable.png", square, 512, 512, "image/png");
  draw("icon-apple.png", square, 180, 180, "image/png");
  draw("og.jpg", play, 1200, 630, "image/jpeg");
};
</script>
END
"${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --dump-dom \
    "file://$work/draw.html" > "$work/dom"
grep -oE '(icon-[a-z0-9]+\.png|og\.jpg) [A-Za-z0-9+/=]{100,}' "$work/dom" | while read -r name bytes; do
    printf %s "$bytes" | base64 -d > "assets/$name"
    echo "assets/$name: $(wc -c < "assets/$name") bytes"
done
