import { createPerpetuo } from "./core/perpetuo";
import { mount } from "./ui/mount";
import "./ui/styles/page.css";

const perpetuo = createPerpetuo();
mount(perpetuo);
// For the console, and for tests in a browser.
Object.assign(window, { perpetuo });
